# shellcheck shell=bash
# Sourced by ssr.sh: the trained models of a run, each as its checkpoint, a line each, and what they
# need beside it.
# shellcheck disable=SC2034,SC2154 # the variables are those of ssr.sh

distilled_models() {
    local config
    for config in ${distill_config}; do echo "$(distill_exp_of "${config}")/${inference_model}"; done
}

# through_llm_models: what was trained through the LLM.
through_llm_models() {
    local config
    for config in ${lm_config}; do echo "$(lm_exp_of "${config}")/${lm_inference_model}"; done
}

finetuned_models() {
    local name
    for name in ${finetune}; do
        echo "$(finetune_exp_of "conf/tuning/finetune_${name}.yaml")/${lm_inference_model}"
    done
}

# last_models: those that were trained last.
last_models() {
    if [ -n "${finetune}" ]; then
        finetuned_models
    elif [ -n "${lm_config}" ]; then
        through_llm_models
    else
        distilled_models
    fi
}

# Options that say what a model needs beside its checkpoint.
model_options=(--prefix_space "${prefix_space}" --textless_unit "${textless_unit}"
    ${max_pause:+--max_pause "${max_pause}"})
if [ "${feats_type}" = extracted ]; then
    model_options+=(--encoder "${encoder}" --encoder_conf "${encoder_options[@]}")
fi
if [ -n "${align_config}" ]; then
    model_options+=(--aligner "${aligner_model}")
    if [ -n "${align_encoder_conf}" ]; then
        # shellcheck disable=SC2206 # several options
        model_options+=(--align_encoder_conf ${align_encoder_conf})
    fi
elif [[ ${aligner} != given && ${aligner} != mfa ]]; then
    model_options+=(--aligner "${aligner}" --aligner_conf "${aligner_options[@]}")
fi
