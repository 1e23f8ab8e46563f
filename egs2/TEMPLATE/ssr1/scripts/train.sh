# shellcheck shell=bash
# Sourced by ssr.sh: one training, of an aligner or of a connector.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

# train_model DIR COMMAND CONFIG ARGS: train into DIR with espnet_ssr.bin.COMMAND. The caller's array
# data_inputs is what its data are made from (as for begin), training_options the options that
# tell the command of them.
train_model() {
    local folder=$1 command=$2 config=$3 more_options inputs training
    read -r -a more_options <<< "$4"
    inputs=(args="$4" "${data_inputs[@]}" "${config}")
    begin "${folder}" "${inputs[@]}" || return 0
    # An interrupted training goes on, but not with other data than it began with.
    if [ -e "${folder}/checkpoint.pth" ] \
        && ! stage_done.py check "${folder}/.begun" "${data_inputs[@]}"; then
        find "${folder}" -maxdepth 1 ! -type d ! -name .lock -delete
    fi
    stage_done.py mark "${folder}/.begun" "${data_inputs[@]}"
    # A training from scratch does not add to the curves of the one before.
    [ -e "${folder}/checkpoint.pth" ] || rm -rf "${folder}"/{tensorboard,images}
    training=("${python}" -m "espnet_ssr.bin.${command}" --config "${config}" --ngpu "${ngpu}"
        --output_dir "${folder}" --resume true "${training_options[@]}" "${more_options[@]}")
    if [ "${ngpu}" -gt 1 ] || [ "${num_nodes}" -gt 1 ]; then
        "${python}" -m espnet2.bin.launch --cmd "${cuda_cmd}" --ngpu "${ngpu}" \
            --num_nodes "${num_nodes}" --log "${folder}/train.log" \
            --init_file_prefix "${folder}/.dist_init_" \
            --multiprocessing_distributed true -- "${training[@]}"
    else
        ${cuda_cmd} --gpu "${ngpu}" "${folder}/train.log" "${training[@]}"
    fi
    finish "${folder}" "${inputs[@]}"
}
