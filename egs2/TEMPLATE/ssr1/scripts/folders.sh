# shellcheck shell=bash
# Sourced by ssr.sh: folders that results of different choices live in, side by side.
# shellcheck disable=SC2034,SC2154 # the variables are those of ssr.sh

llm_tag=${llm##*/}
encoder_tag=${encoder_model##*/}
encoder_tag=${encoder_tag:-${encoder}}
align_tag=${align_tag:-${aligner}}
align_name=align_${align_tag}
aligner_dir=${expdir}/align_${align_tag}_${encoder_tag}
aligner_model=${aligner_dir}/valid.loss.ave.pth
units_dir=${expdir}/kmeans${num_units}_${encoder_tag}
seg_name=seg_${align_tag}_${llm_tag}
feats_name=feats_${encoder_tag}
align_feats_name=${feats_name}${align_encoder_conf:+_${align_encoder_conf//[^a-zA-Z0-9.]/}}
stats_dir=${expdir}/stats_${align_tag}_${encoder_tag}_${llm_tag}_${feats_type}
stats_dir+=${copies_tag}
inference_name=${inference_tag:-$(basename "${inference_config}" .yaml)}

# What choice_config asks, of this LLM: below expdir and below each model's folder.
choice_name=$(basename "${choice_config:-choice}" .yaml)_${llm_tag}
choice_dir=${expdir}/${choice_name}

# exp_of KIND CONFIG ARGS TAG: the folder of the experiment of this kind (distill, lm, finetune) with this
# configuration, further options and, if it is not empty, tag.
exp_of() {
    local name tag
    name=$(basename "$(readlink -f "$2")" .yaml)
    tag=${align_tag}_${encoder_tag}_${llm_tag}
    if [ "${feats_type}" = raw ]; then tag+=_raw; fi
    tag+=${copies_tag}
    tag+=${3:+_${3//[^a-zA-Z0-9.=]/_}}
    name=${name#"$1"}
    echo "${expdir}/$1${name:+_${name#_}}_${4:-${tag}}"
}

distill_exp_of() { exp_of distill "$1" "${distill_args}" "${distill_tag}"; }
lm_exp_of() { exp_of lm "$1" "${lm_args}" "${lm_tag}"; }
finetune_exp_of() { exp_of finetune "$1" "${lm_args}" "${lm_tag}"; }
