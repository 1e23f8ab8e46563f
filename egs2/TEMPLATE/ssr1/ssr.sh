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
inference_nj=1        # jobs of stage 10; more than 1 is not available yet
gpu_inference=false   # stages 6 and 10 on a GPU
dumpdir=dump          # formatted data, alignments, features
expdir=exp            # trained models and results
python=python3        # interpreter

# Data
train_set=            # name below data/ (required)
valid_set=            # (required)
test_sets=            # names, separated by spaces (required)
local_data_opts=      # options of local/data.sh
speed_perturb_factors= # stage 2: not available yet
feats_type=extracted  # extracted (stage 6) or raw (encoded on the fly while training)
audio_format=flac     # flac or wav, of formatted audio
fs=16000              # sampling rate in Hz
min_wav_duration=0.1  # shorter utterances are left out, in seconds
max_wav_duration=120  # longer utterances are left out, in seconds

# Alignment and segmentation
aligner=hmm           # hmm: PocketSphinx, English, no training
aligner_conf=         # its options, "name=value name=value"
llm=SmolLM2-135M-Instruct-q4_1 # folder, name below tools/models, or hub id (owner/model)
prefix_space=true     # tokenize " text"; false for LLMs whose tokenizer adds the space itself

# Encoder
encoder=whisper       # whisper or tiny
encoder_model=whisper-tiny.en # folder, name below tools/models, or hub id; empty for tiny
encoder_conf=         # further options, "name=value name=value"
frame_rate=50         # frames a second of the encoder
compression_method=   # of extracted features, see kaldiio (2: 8 bit); empty is float32

# Distillation
distill_config=conf/distill.yaml # options of the training; several files: one model each
distill_args=         # further options, e.g. "--optim_conf lr=0.001"
distill_tag=          # suffix of the experiment's folder; default: made from the options
finetune=none         # stage 9: not available yet

# Inference
inference_config=conf/decode.yaml # options of the inference
inference_args=       # further options
inference_tag=        # suffix of the results' folder; default: the config's name
inference_model=valid.token_accuracy.ave.pth # checkpoint

help_message="Usage: $0 --train_set NAME --valid_set NAME --test_sets 'NAME ...' [options]

Stages: 1 data preparation, 2 speed perturbation (not available yet), 3 format and filter audio,
4 forced alignment, 5 LLM tokens and segmentation, 6 feature extraction, 7 collect stats,
8 connector distillation, 9 fine-tuning (not available yet), 10 inference, 11 scoring,
12 packing (not available yet), 13 upload (not available yet).

Options, with - or _ in their names:
$(sed -n 's/^\([a-z_]*\)=\([^#]*[^# ]\)\{0,1\} *# \(.*\)$/    --\1 (\2)  \3/p' "$0")"

printf -v recipe_args ' %q' "$@"
cd "$(dirname "$0")" # where the link is, not where it leads: that is the recipe
. ./path.sh
. ./cmd.sh
. parse_options.sh
# shellcheck source=scripts/stage.sh
. "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/stage.sh"
[ $# -eq 0 ] || die "unexpected argument: $1"

for name in train_set valid_set test_sets; do
    [ -n "${!name}" ] || die "--${name} is required"
done
for name in stage stop_stage nj ngpu num_nodes; do
    [[ ${!name} =~ ^[0-9]+$ || ${name}=${!name} == stage= ]] \
        || die "--${name} must be a number, not '${!name}'"
done
[ "${nj}" -ge 1 ] || die "--nj must be 1 or more, not ${nj}"
[ -n "${distill_config}" ] || die "--distill_config is required"
for config in ${distill_config}; do
    [ -f "${config}" ] || die "--distill_config: no such file: ${config}"
done
[ -f "${inference_config}" ] || die "--inference_config: no such file: ${inference_config}"
[ "${feats_type}" = extracted ] || [ "${feats_type}" = raw ] \
    || die "--feats_type must be extracted or raw, not ${feats_type}"
[ "${inference_nj}" = 1 ] || die "--inference_nj ${inference_nj} is not available yet: use 1"
[ -z "${speed_perturb_factors}" ] || die "stage 2, speed perturbation, is not available yet"
[ "${finetune}" = none ] || die "stage 9, fine-tuning, is not available yet: use --finetune none"
"${skip_packing}" || die "stage 12, packing, is not available yet: use --skip_packing true"
"${skip_upload}" || die "stage 13, upload, is not available yet: use --skip_upload true"
for n in 2 9 12 13; do
    [ "${stage}" != "${n}" ] || die "stage ${n} is not available yet"
done

first_stage=${stage:-1}
"${skip_data_prep}" && skip_stages+=" 1 3 4 5 6"
"${skip_train}" && skip_stages+=" 7 8"
"${skip_eval}" && skip_stages+=" 10 11"
[ "${feats_type}" = extracted ] || skip_stages+=" 6"

# Words of options that hold several.
read -r -a aligner_options <<< "${aligner_conf}"
read -r -a encoder_options <<< "${encoder_conf}${encoder_model:+ model=${encoder_model}}"
read -r -a train_options <<< "${distill_args}"
read -r -a decode_options <<< "${inference_args}"
sets="${train_set} ${valid_set} ${test_sets}"
device=$("${gpu_inference}" && echo cuda || echo cpu)

# Folders that results of different choices live in, side by side.
llm_tag=${llm##*/}
encoder_tag=${encoder_model##*/}
encoder_tag=${encoder_tag:-${encoder}}
align_name=align_${aligner}
seg_name=seg_${aligner}_${llm_tag}
feats_name=feats_${encoder_tag}
stats_dir=${expdir}/distill_stats_${aligner}_${encoder_tag}_${llm_tag}_${feats_type}
inference_name=${inference_tag:-$(basename "${inference_config}" .yaml)}

# exp_of CONFIG: the folder of the experiment with this configuration.
exp_of() {
    local name tag
    name=$(basename "$(readlink -f "$1")" .yaml)
    tag=${aligner}_${encoder_tag}_${llm_tag}
    if [ "${feats_type}" = raw ]; then tag+=_raw; fi
    tag+=${distill_args:+_${distill_args//[^a-zA-Z0-9.=]/_}}
    name=${name#distill}
    echo "${expdir}/distill${name:+_${name#_}}_${distill_tag:-${tag}}"
}

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
        "--$1_data_path_and_name_and_type $(inputs_of "$2")"
}

if in_range 1; then
    announce 1 "data preparation"
    inputs=(local_data_opts="${local_data_opts}" --files local db.sh)
    if begin data "${inputs[@]}"; then
        # shellcheck disable=SC2086
        local/data.sh ${local_data_opts}
        for set in ${sets}; do
            validate_data_dir.py --no-audio "data/${set}"
        done
        finish data "${inputs[@]}"
    fi
fi

if in_range 3; then
    announce 3 "format and filter audio"
    for set in ${sets}; do
        [ -d "data/${set}" ] || die "no data/${set}: run stage 1, or check --train_set and the like"
        inputs=(fs="${fs}" audio_format="${audio_format}" min="${min_wav_duration}"
            max="${max_wav_duration}" --files "data/${set}")
        if begin "${dumpdir}/${set}" "${inputs[@]}"; then
            run_array format "data/${set}/text" "${dumpdir}/${set}" \
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
    for set in ${sets}; do
        data=${dumpdir}/${set}
        inputs=(aligner="${aligner}" conf="${aligner_conf}" --files "${data}/wav.scp" "${data}/text")
        if begin "${data}/${align_name}" "${inputs[@]}"; then
            run_array align "${data}/wav.scp" "${data}/${align_name}" \
                "${python}" -m espnet_ssr.bin.ssr_align --data_dir "${data}" \
                --aligner "${aligner}" --aligner_conf "${aligner_options[@]}"
            "${python}" -m espnet_ssr.bin.ssr_align_report --data_dir "${data}" \
                --align_dir "${data}/${align_name}" --aligner "${aligner}" --nj "${num_jobs}"
            finish "${data}/${align_name}" "${inputs[@]}"
        fi
    done
fi

if in_range 5; then
    announce 5 "tokens of ${llm} and their segments"
    for set in ${sets}; do
        data=${dumpdir}/${set}
        inputs=(llm="${llm}" frame_rate="${frame_rate}" fs="${fs}" prefix_space="${prefix_space}"
            --files "${data}/text" "${data}/utt2num_samples" "${data}/${align_name}/word.ctm")
        if begin "${data}/${seg_name}" "${inputs[@]}"; then
            "${python}" -m espnet_ssr.bin.ssr_segment --data_dir "${data}" --llm "${llm}" \
                --align_dir "${data}/${align_name}" --output_dir "${data}/${seg_name}" \
                --frame_rate "${frame_rate}" --fs "${fs}" --prefix_space "${prefix_space}"
            finish "${data}/${seg_name}" "${inputs[@]}"
        fi
    done
fi

if in_range 6; then
    announce 6 "features of ${encoder_tag}"
    for set in ${sets}; do
        data=${dumpdir}/${set}
        inputs=(encoder="${encoder}" conf="${encoder_options[*]}"
            compression="${compression_method}" frame_rate="${frame_rate}"
            --files "${data}/wav.scp")
        if begin "${data}/${feats_name}" "${inputs[@]}"; then
            # shellcheck disable=SC2086
            run_array feats "${data}/wav.scp" "${data}/${feats_name}" \
                "${python}" -m espnet_ssr.bin.dump_feats --data_dir "${data}" \
                --encoder "${encoder}" --encoder_conf "${encoder_options[@]}" \
                --device "${device}" \
                ${compression_method:+--compression_method ${compression_method}}
            "${python}" -m espnet_ssr.bin.dump_feats --data_dir "${data}" \
                --output_dir "${data}/${feats_name}" --merge_jobs "${num_jobs}" \
                --frame_rate "${frame_rate}"
            finish "${data}/${feats_name}" "${inputs[@]}"
        fi
    done
fi

# What stages 7 and 8 read.
training_files=()
for set in "${train_set}" "${valid_set}"; do
    source_files=$(inputs_of "${set}")
    training_files+=("${dumpdir}/${set}/${seg_name}"/token_{id,end} "${source_files%%,*}")
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
    inputs=(feats_type="${feats_type}" --files "${training_files[@]}")
    if begin "${stats_dir}" "${inputs[@]}"; then
        ${train_cmd} "${stats_dir}/stats.log" "${python}" -m espnet_ssr.bin.ssr_distill_train \
            --collect_stats true --output_dir "${stats_dir}" "${training_options[@]}" \
            --model_conf extract_feats_in_collect_stats=false --batch_size 100
        finish "${stats_dir}" "${inputs[@]}"
    fi
fi

if in_range 8; then
    announce 8 "connector distillation"
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
    for config in ${distill_config}; do
        folder=$(exp_of "${config}")
        data_inputs=(llm="${llm}" encoder="${encoder} ${encoder_options[*]}"
            frame_rate="${frame_rate}" --files "${training_files[@]}")
        inputs=(args="${distill_args}" "${data_inputs[@]}" "${config}")
        if begin "${folder}" "${inputs[@]}"; then
            # An interrupted training goes on, but not with other data than it began with.
            if [ -e "${folder}/checkpoint.pth" ] \
                && ! stage_done.py check "${folder}/.begun" "${data_inputs[@]}"; then
                find "${folder}" -maxdepth 1 ! -type d ! -name .lock -delete
            fi
            stage_done.py mark "${folder}/.begun" "${data_inputs[@]}"
            # A training from scratch does not add to the curves of the one before.
            [ -e "${folder}/checkpoint.pth" ] || rm -rf "${folder}"/{tensorboard,images}
            training=("${python}" -m espnet_ssr.bin.ssr_distill_train --config "${config}"
                --ngpu "${ngpu}" --output_dir "${folder}" --resume true
                "${training_options[@]}" "${train_options[@]}")
            if [ "${ngpu}" -gt 1 ] || [ "${num_nodes}" -gt 1 ]; then
                "${python}" -m espnet2.bin.launch --cmd "${cuda_cmd}" --ngpu "${ngpu}" \
                    --num_nodes "${num_nodes}" --log "${folder}/train.log" \
                    --init_file_prefix "${folder}/.dist_init_" \
                    --multiprocessing_distributed true -- "${training[@]}"
            else
                ${cuda_cmd} --gpu "${ngpu}" "${folder}/train.log" "${training[@]}"
            fi
            finish "${folder}" "${inputs[@]}"
        fi
    done
fi

if in_range 10; then
    announce 10 "inference (${inference_model})"
    for config in ${distill_config}; do
        model=$(exp_of "${config}")/${inference_model}
        [ -e "${model}" ] || die "no ${model}: run stage 8, or see --inference_model"
        for set in ${test_sets}; do
            seg=${dumpdir}/${set}/${seg_name}
            folder=$(exp_of "${config}")/${inference_name}/${set}
            source_file=$(inputs_of "${set}")
            source_file=${source_file%%,*}
            input_option=$([ "${feats_type}" = raw ] && echo --wav_scp || echo --feats_scp)
            inputs=(args="${inference_args}" --files "${inference_config}" "${seg}/token_id"
                "${seg}/token_end" "${source_file}" "${model}")
            if begin "${folder}" "${inputs[@]}"; then
                ${train_cmd} "${folder}/inference.log" \
                    "${python}" -m espnet_ssr.bin.ssr_inference --config "${inference_config}" \
                    --model_file "${model}" --seg_dir "${seg}" \
                    "${input_option}" "${source_file}" --device "${device}" \
                    --train_token_id "${dumpdir}/${train_set}/${seg_name}/token_id" \
                    --output_dir "${folder}" "${decode_options[@]}"
                finish "${folder}" "${inputs[@]}"
            fi
        done
    done
fi

if in_range 11; then
    announce 11 "scoring"
    "${python}" -m espnet_ssr.bin.score --expdir "${expdir}" --output "${expdir}/RESULTS.md" \
        --command "./ssr.sh${recipe_args}"
    log "  wrote ${expdir}/RESULTS.md"
fi
log "all stages asked for are done"
