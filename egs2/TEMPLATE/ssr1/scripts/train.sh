# shellcheck shell=bash
# Sourced by ssr.sh: one training, of an aligner, a connector or an LLM.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

# checkpoints_in TEXT...: checkpoints (*.pth) that configurations or options name, outside comments.
# In "name=value" the value is one; names of folders may have a "=" further on.
checkpoints_in() {
    printf '%s\n' "$@" | sed 's/#.*//' | tr -s "][{}:,\"' \t" '\n' | sed 's/^[A-Za-z_]*=//' \
        | grep '\.pth$' | sort -u || true
}

# aligner_in MODEL: checkpoint of the aligner in a trained connector (ctc_compress, ctc_hull), if it has one.
aligner_in() {
    checkpoints_in "$(grep '^ *aligner:' "${1%/*}/config.yaml")"
}

# has_state DIR: whether there is a training to be gone on with, from an epoch's end or middle.
has_state() {
    [ -e "$1/checkpoint.pth" ] || [ -e "$1/midepoch.pth" ]
}

# train_model DIR COMMAND CONFIG ARGS: train into DIR with espnet_ssr.bin.COMMAND. The caller's array
# data_inputs is what its data are made from (as for begin), training_options the options that
# tell the command of them.
train_model() {
    local folder=$1 command=$2 config=$3 more_options inputs training checkpoints
    read -r -a more_options <<< "$4"
    # What it starts from (--init_param, --distilled), the aligner in a connector: if they are
    # trained again, so is this.
    mapfile -t checkpoints < <(checkpoints_in "$(< "${config}")" "$4")
    local data_inputs=("${data_inputs[@]}" "${checkpoints[@]}")
    inputs=(args="$4" "${data_inputs[@]}" "${config}")
    begin "${folder}" "${inputs[@]}" || return 0
    # An interrupted training goes on, but not with other data than it began with.
    if has_state "${folder}" && ! stage_done.py check "${folder}/.begun" "${data_inputs[@]}"; then
        find "${folder}" -maxdepth 1 ! -type d ! -name .lock -delete
    fi
    stage_done.py mark "${folder}/.begun" "${data_inputs[@]}"
    # A training from scratch does not add to the curves of the one before.
    has_state "${folder}" || rm -rf "${folder}"/{tensorboard,images}
    training=("${python}" -m "espnet_ssr.bin.${command}" --config "${config}" --ngpu "${ngpu}"
        --output_dir "${folder}" --resume true "${training_options[@]}" "${more_options[@]}")
    if [ "${ngpu}" -gt 1 ] || [ "${num_nodes}" -gt 1 ]; then
        "${python}" -m espnet2.bin.launch --cmd "${cuda_cmd}" --ngpu "${ngpu}" \
            --num_nodes "${num_nodes}" --log "${folder}/train.log" \
            --init_file_prefix "${folder}/.dist_init_" \
            ${MASTER_PORT:+--master_port "${MASTER_PORT}"} \
            ${MASTER_ADDR:+--master_addr "${MASTER_ADDR}"} \
            --multiprocessing_distributed true -- "${training[@]}"
    else
        ${cuda_cmd} --gpu "${ngpu}" "${folder}/train.log" "${training[@]}"
    fi
    finish "${folder}" "${inputs[@]}"
}

# finetune_llm CONFIG: fine-tune the LLM that reads the (first) distilled connector's vectors.
finetune_llm() {
    local config=$1 distilled options
    read -r distilled _ <<< "${distill_config}"
    distilled=$(distill_exp_of "${distilled}")/${inference_model}
    local data_inputs=("${data_inputs[@]}")
    options="--distilled ${distilled}"
    if grep -q '^replay_conf:' "${config}"; then
        local text=${replay_text:-data/replay_${llm_tag}/text}
        [ -n "${replay_text}" ] || write_replay_text "${text%/*}"
        data_inputs+=("${text}")
        options+=" --replay_conf file=${text}"
    fi
    [ -e "${distilled}" ] || die "no ${distilled}: run stage 8, or see --inference_model"
    train_model "$(finetune_exp_of "${config}")" ssr_lm_train "${config}" "${options} ${lm_args}"
}

# write_replay_text DIR: DIR/text, which the LLM writes by itself.
write_replay_text() {
    local inputs=(llm="${llm}" start="${replay_start}" tokens="${num_replay_tokens}")
    begin "$1" "${inputs[@]}" --files || return 0
    ${infer_cmd} "$1/sample.log" "${python}" -m espnet_ssr.bin.sample_text --llm "${llm}" \
        --start "${replay_start}" --num_tokens "${num_replay_tokens}" --output "$1/text" \
        --device "${device}"
    finish "$1" "${inputs[@]}" --files
}
