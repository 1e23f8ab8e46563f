#!/usr/bin/env bash
# The stages of an SSR recipe. Called by a recipe's run.sh; works in the recipe's folder.
set -euo pipefail

# General
stage=                # first stage; naming it does it again even if it is done
stop_stage=13         # last stage
skip_stages=          # stages to leave out, e.g. "10 11"
skip_data_prep=false  # leave out stages 1-6
skip_train=false      # leave out stages 7-9
skip_eval=false       # leave out stages 10-11
skip_packing=true     # leave out stage 12
skip_upload=true      # leave out stage 13
ngpu=0                # GPUs for training; 0 trains on CPU
num_nodes=1           # machines for training
nj=$(nproc)           # jobs of stages 3, 4 and 6
inference_nj=1        # jobs of stage 10 through the LLM; without it, stage 10 is one cheap job
gpu_inference=false   # stages 6 and 10 on a GPU
dumpdir=dump          # formatted data, alignments, features
expdir=exp            # trained models and results
python=python3        # interpreter

# Data
train_set=            # name below data/ (required)
valid_set=            # (required)
test_sets=            # names, separated by spaces (required)
local_data_opts=      # options of local/data.sh
speed_perturb_factors= # stage 2: speeds of copies of the training set, e.g. "0.9 1.1"
augment=              # stage 2: what is done to copies of it, e.g. "speed=0.9,1.1 noise=5,20 babble=5,20 room=0.2,0.6"
augment_copies=1      # copies of each utterance
augment_seed=0        # of what is drawn for each
augment_tag=aug       # suffix of the set's name, so that several can be side by side
feats_type=extracted  # extracted (stage 6) or raw (encoded on the fly while training)
audio_format=flac     # flac or wav, of formatted audio
fs=16000              # sampling rate in Hz
min_wav_duration=0.1  # shorter utterances are left out, in seconds
max_wav_duration=120  # longer utterances are left out, in seconds

# Alignment and segmentation
aligner=hmm           # hmm, whisper, mfa, given, hf_ctc, or X of conf/tuning/align_X.yaml
aligner_conf=         # its options, "name=value name=value"
align_config=         # of an aligner to be trained; default: conf/tuning/align_X.yaml
align_encoder_conf=   # options of the encoder whose features it takes, beside encoder_conf: "layer=3"
align_train_set=      # what it is trained on; default: train_set
align_tag=            # suffix of its folders; default: the aligner's name
align_args=           # further options of its training, e.g. "--max_epoch 30"
num_units=0           # k-means units of the features for unity2; 0: the features themselves
given=                # --aligner given: folder of TextGrid or MFA JSON files, or a CTM; empty: data/<set>/word.ctm
textless=false        # also cut test sets into segments without their transcripts
textless_unit=word    # a segment for each guessed word, or for each token of the guess
max_token_duration=   # leave out utterances with a longer token, in seconds (stage 5)
min_score=            # leave out utterances whose mean word score is lower (stage 5)
max_pause=            # cut longer pauses down to this, in seconds (stage 5); unset: keep them
llm=SmolLM2-135M-Instruct-q4_1 # folder, name below tools/models, or hub id (owner/model)
prefix_space=true     # tokenize " text"; false for LLMs whose tokenizer adds the space itself

# Encoder
encoder=whisper       # whisper, hf or tiny
encoder_model=whisper-tiny.en # folder, name below tools/models, or hub id; empty for tiny
encoder_conf=         # further options, "name=value name=value"
frame_rate=50         # frames a second of the encoder
compression_method=   # of extracted features, see kaldiio (2: 8 bit); empty is float32

# Distillation
distill_config=conf/distill.yaml # options of the training; several files: one model each
distill_args=         # further options, e.g. "--optim_conf lr=0.001"
distill_tag=          # suffix of the experiment's folder; default: made from the options

# Training through the LLM
lm_config=            # stage 9, a connector from scratch: options; several files: one model each
finetune=             # stage 9, after distillation: X of conf/tuning/finetune_X.yaml, one or more
replay_text=          # text that fine-tuning with replay_conf takes; default: written by the LLM
replay_start='<|im_start|>assistant\n' # what the LLM writes it after; empty: its start of a text
num_replay_tokens=20000 # how much it writes
lm_args=              # further options of both, e.g. "--llm_conf dtype=bfloat16"
lm_tag=               # suffix of the experiment's folder; default: made from the options

# Inference
inference_config=conf/decode.yaml # options of the inference
inference_args=       # further options
inference_tag=        # suffix of the results' folder; default: the config's name
inference_model=valid.token_accuracy.ave.pth # checkpoint of a distilled connector
lm_inference_model=valid.loss.ave.pth # checkpoint of what was trained through the LLM
llm_inference=false   # true: put distilled connectors in front of the LLM, too
asr_model=            # Whisper for a cascade to compare with, e.g. whisper-tiny.en
retention_text=       # held-out text, a document a line: its perplexity before and after fine-tuning
blimp=                # data/ of BLiMP: its accuracy before and after fine-tuning
blimp_limit=30        # pairs of each of its 67 paradigms

# Choice tasks: BLiMP, HellaSwag, MMLU and others, as text and spoken
choice_config=        # who is asked what, e.g. conf/choice.yaml, after local/eval_data.sh; empty: nobody
choice_args=          # further options, e.g. "--limit 100" for a quick look

# Packing and upload, of what was trained last
pack_transformers=false # stage 12: also a folder that transformers loads by itself, LLM included
hf_repo=              # stage 13: owner/name on the Hugging Face hub; made private if new

help_message="Usage: $0 --train_set NAME --valid_set NAME --test_sets 'NAME ...' [options]

Stages: 1 data preparation, 2 copies of the training set, 3 format and filter audio,
4 forced alignment, 5 LLM tokens and segmentation, 6 feature extraction, 7 collect stats,
8 connector distillation, 9 training through the LLM or of the LLM, 10 inference, 11 scoring,
12 packing (--skip_packing false), 13 upload to the Hugging Face hub (--skip_upload false).

Options, with - or _ in their names:
$(sed -n 's/^\([a-z_]*\)=\([^#]*[^# ]\)\{0,1\} *# \(.*\)$/    --\1 (\2)  \3/p' "$0")"

printf -v recipe_args ' %q' "$@"
cd "$(dirname "$0")" # where the link is, not where it leads: that is the recipe
. ./path.sh
. ./cmd.sh
. parse_options.sh
# shellcheck source=scripts/stage.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/stage.sh"
# shellcheck source=scripts/train.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/train.sh"
# shellcheck source=scripts/align.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/align.sh"
# shellcheck source=scripts/copies.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/copies.sh"
# shellcheck source=scripts/infer.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/infer.sh"
# shellcheck source=scripts/choice.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/choice.sh"
[ $# -eq 0 ] || die "unexpected argument: $1"

# shellcheck source=scripts/check.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/check.sh"

first_stage=${stage:-1}
"${skip_data_prep}" && skip_stages+=" 1 2 3 4 5 6"
"${skip_train}" && skip_stages+=" 7 8 9"
"${skip_eval}" && skip_stages+=" 10 11"
[ "${feats_type}" = extracted ] || skip_stages+=" 6"
"${skip_packing}" && skip_stages+=" 12"
"${skip_upload}" && skip_stages+=" 13"

# Words of options that hold several.
read -r -a aligner_options <<< "${aligner_conf}"
segment_options=(${max_token_duration:+--max_token_duration "${max_token_duration}"}
    ${min_score:+--min_score "${min_score}"} ${max_pause:+--max_pause "${max_pause}"})
read -r -a encoder_options <<< "${encoder_conf}${encoder_model:+ model=${encoder_model}}"
read -r -a decode_options <<< "${inference_args}"
align_train_set=${align_train_set:-${train_set}}
# What stage 1 makes and an aligner aligns, and what it is trained on: maybe a set of its own.
corpus_sets="${train_set} ${valid_set} ${test_sets}"
aligner_sets=${corpus_sets}
[[ " ${aligner_sets} " == *" ${align_train_set} "* ]] || aligner_sets+=" ${align_train_set}"
# With copies: another training set, made of that one.
original_train_set=${train_set}
formatted_sets=${aligner_sets}
copies_tag=${speed_perturb_factors:+_sp}${augment:+_${augment_tag}}
if [ -n "${copies_tag}" ]; then
    train_set+=${copies_tag}
    formatted_sets+=" ${train_set}"
fi
sets="${train_set} ${valid_set} ${test_sets}"
device=cpu infer_cmd=${train_cmd}
if "${gpu_inference}"; then device=cuda infer_cmd="${cuda_cmd} --gpu 1"; fi

# shellcheck source=scripts/folders.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/folders.sh"

# shellcheck source=scripts/models.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/models.sh"

# inputs_of SET: the model's input for a set, in ESPnet's "file,name,type".
inputs_of() {
    if [ "${feats_type}" = raw ]; then
        echo "${dumpdir}/$1/wav.scp,speech,sound"
    else
        echo "${dumpdir}/$1/${feats_name}/feats.scp,feats,kaldi_ark"
    fi
}

# data_options MODE SET: the options of a training command for one set.
data_options() {
    local seg=${dumpdir}/$2/${seg_name}
    echo "--$1_data_path_and_name_and_type ${seg}/token_id,token_id,text_int" \
        "--$1_data_path_and_name_and_type ${seg}/token_end,token_end,text_float" \
        "--$1_data_path_and_name_and_type $(inputs_of "$2")" \
        ${max_pause:+"--$1_data_path_and_name_and_type ${seg}/pause,pause,text_float"}
}

if in_range 1; then
    announce 1 "data preparation"
    inputs=(local_data_opts="${local_data_opts}" --files local db.sh)
    if begin data "${inputs[@]}"; then
        # shellcheck disable=SC2086
        local/data.sh ${local_data_opts}
        for set in ${corpus_sets}; do
            validate_data_dir.py --no-audio "data/${set}"
        done
        finish data "${inputs[@]}"
    fi
fi

if in_range 2 && [ -n "${speed_perturb_factors}" ]; then
    announce 2 "speed perturbation (${speed_perturb_factors})"
    perturb_speed "${original_train_set}" "${train_set}"
fi

if in_range 2 && [ -n "${augment}" ]; then
    announce 2 "augmentation (${augment})"
    augment_set "${original_train_set}" "${train_set}"
fi

if in_range 3; then
    announce 3 "format and filter audio"
    for set in ${formatted_sets}; do
        [ -d "data/${set}" ] || die "no data/${set}: run stages 1 and 2, or check --train_set and the like"
        inputs=(fs="${fs}" audio_format="${audio_format}" min="${min_wav_duration}"
            max="${max_wav_duration}" --files "data/${set}")
        if begin "${dumpdir}/${set}" "${inputs[@]}"; then
            run_array "${train_cmd}" format "data/${set}/text" "${dumpdir}/${set}" \
                "${python}" -m espnet_ssr.bin.format_data --data_dir "data/${set}" --fs "${fs}" \
                --audio_format "${audio_format}" --min_wav_duration "${min_wav_duration}" \
                --max_wav_duration "${max_wav_duration}"
            "${python}" -m espnet_ssr.bin.format_merge --data_dir "data/${set}" --fs "${fs}" \
                --output_dir "${dumpdir}/${set}" --nj "${num_jobs}"
            finish "${dumpdir}/${set}" "${inputs[@]}"
        fi
    done
fi

if in_range 4; then
    announce 4 "forced alignment (${aligner})"
    if [ -n "${align_config}" ]; then
        for set in ${aligner_sets}; do
            # shellcheck disable=SC2086 # several options
            extract_features "${set}" "${align_feats_name}" ${align_encoder_conf}
        done
        if [ "${num_units}" -gt 0 ]; then fit_units; fi
        train_aligner
    fi
    for set in ${corpus_sets}; do align_set "${set}" false; done
    if [ -n "${copies_tag}" ]; then
        rescale_alignments "${original_train_set}" "${train_set}"
    fi
    if "${textless}"; then
        for set in ${test_sets}; do align_set "${set}" true; done
    fi
fi

if in_range 5; then
    announce 5 "tokens of ${llm} and their segments"
    for set in ${sets}; do segment_set "${set}" false; done
    if "${textless}"; then
        for set in ${test_sets}; do segment_set "${set}" true; done
    fi
fi

if in_range 6; then
    announce 6 "features of ${encoder_tag}"
    for set in ${sets}; do extract_features "${set}" "${feats_name}"; done
fi

# What stages 7 to 9 read.
training_files=()
for set in "${train_set}" "${valid_set}"; do
    source_files=$(inputs_of "${set}")
    training_files+=("${dumpdir}/${set}/${seg_name}"/token_{id,end} "${source_files%%,*}"
        ${max_pause:+"${dumpdir}/${set}/${seg_name}/pause"})
done
# shellcheck disable=SC2207 # words without spaces
training_options=(--llm "${llm}" $(data_options train "${train_set}")
    $(data_options valid "${valid_set}"))
if [ "${feats_type}" = raw ]; then
    training_options+=(--encoder "${encoder}")
    for option in "${encoder_options[@]}"; do training_options+=(--encoder_conf "${option}"); done
fi

if in_range 7; then
    announce 7 "collect stats"
    inputs=(feats_type="${feats_type}" fs="${fs}" frame_rate="${frame_rate}"
        --files "${training_files[@]}")
    if begin "${stats_dir}" "${inputs[@]}"; then
        for part in train valid; do
            set=${part}_set
            set=${!set}
            lengths=(--feats_dir "${dumpdir}/${set}/${feats_name}")
            if [ "${feats_type}" = raw ]; then
                lengths=(--utt2num_samples "${dumpdir}/${set}/utt2num_samples" --fs "${fs}")
            fi
            ${train_cmd} "${stats_dir}/${part}.log" "${python}" -m espnet_ssr.bin.collect_shapes \
                --token_id "${dumpdir}/${set}/${seg_name}/token_id" "${lengths[@]}" \
                ${max_pause:+--pause "${dumpdir}/${set}/${seg_name}/pause"} \
                --frame_rate "${frame_rate}" --output_dir "${stats_dir}/${part}"
        done
        finish "${stats_dir}" "${inputs[@]}"
    fi
fi

if in_range 8 || in_range 9; then
    shapes=(speech token_id)
    if [ "${feats_type}" = extracted ]; then
        shapes=(feats token_id)
        training_options+=(--frame_rate "${frame_rate}"
            --input_size "$(cat "${dumpdir}/${train_set}/${feats_name}/feats_dim")")
    fi
    for shape in "${shapes[@]}"; do
        training_options+=(--train_shape_file "${stats_dir}/train/${shape}_shape"
            --valid_shape_file "${stats_dir}/valid/${shape}_shape")
    done
    data_inputs=(llm="${llm}" encoder="${encoder} ${encoder_options[*]}"
        frame_rate="${frame_rate}" --files "${training_files[@]}")
fi

if in_range 8; then
    announce 8 "connector distillation"
    for config in ${distill_config}; do
        train_model "$(distill_exp_of "${config}")" ssr_distill_train "${config}" "${distill_args}"
    done
fi

if in_range 9 && [ -n "${lm_config}" ]; then
    announce 9 "training through ${llm}"
    for config in ${lm_config}; do
        train_model "$(lm_exp_of "${config}")" ssr_lm_train "${config}" "${lm_args}"
    done
fi

if in_range 9 && [ -n "${finetune}" ]; then
    announce 9 "fine-tuning of ${llm}"
    for name in ${finetune}; do finetune_llm "conf/tuning/finetune_${name}.yaml"; done
fi

if in_range 10; then
    announce 10 "inference"
    for set in ${test_sets}; do
        for model in $(distilled_models); do
            infer_distilled "${model}" "${set}" false
            if "${textless}"; then infer_distilled "${model}" "${set}" true; fi
            if "${llm_inference}"; then infer_through_llm "${model}" "${set}"; fi
        done
        for model in $(through_llm_models) $(finetuned_models); do
            infer_through_llm "${model}" "${set}"
        done
        if [ -n "${asr_model}" ]; then transcribe_set "${set}"; fi
    done
    if [ -n "${retention_text}${blimp}" ]; then
        for model in $(finetuned_models); do measure_retention "${model}"; done
    fi
    if [ -n "${choice_config}" ]; then choose_all; fi
fi

if in_range 11; then
    announce 11 "scoring"
    if [ -n "${choice_config}" ]; then report_choice; fi
    "${python}" -m espnet_ssr.bin.score --expdir "${expdir}" --output "${expdir}/RESULTS.md" \
        --command "./ssr.sh${recipe_args}"
    log "  wrote ${expdir}/RESULTS.md"
fi

# shellcheck source=scripts/pack.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/pack.sh"

if in_range 12; then
    announce 12 "packing"
    for model in $(last_models); do pack_model "${model}"; done
fi

if in_range 13; then
    announce 13 "upload to ${hf_repo}"
    for model in $(last_models); do upload_model "${model}"; done
fi
log "all stages asked for are done"
