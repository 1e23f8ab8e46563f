# shellcheck shell=bash
# Sourced by ssr.sh: stages 12 and 13, trained models for others.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

# pack_model CHECKPOINT: pack it into packed/ beside it.
pack_model() {
    local model=$1 result inputs
    local folder=${model%/*}/packed files=("${model}" "${model%/*}/config.yaml")
    if [ -n "${align_config}" ]; then files+=("${aligner_model}"); fi
    mapfile -t -O "${#files[@]}" files < <(aligner_in "${model}")
    for result in "${model%/*}"/*/*/result.json; do # figures for the model card
        if [ -e "${result}" ]; then files+=("${result}"); fi
    done
    inputs=(options="${model_options[*]}" pack_transformers="${pack_transformers}"
        --files "${files[@]}")
    begin "${folder}" "${inputs[@]}" || return 0
    [[ " ${model_options[*]} " == *" --aligner "* ]] \
        || log "  --aligner ${aligner} cannot be packed: users will have to name one of their own"
    "${python}" -m espnet_ssr.bin.ssr_pack --model_file "${model}" "${model_options[@]}" \
        --output_dir "${folder}/speech_lm" --zip "${folder}/espnet.zip"
    if "${pack_transformers}"; then
        "${python}" -m espnet_ssr.bin.ssr_export --model_file "${model}" "${model_options[@]}" \
            --output_dir "${folder}/transformers"
    fi
    finish "${folder}" "${inputs[@]}"
}

# upload_model CHECKPOINT: send what was packed of it to the hub.
upload_model() {
    local folder=${1%/*}/packed
    [ -e "${folder}/.done" ] || die "no ${folder}: run stage 12 with --skip_packing false"
    upload_folder "${folder}/speech_lm" "${hf_repo}"
    if "${pack_transformers}"; then
        upload_folder "${folder}/transformers" "${hf_repo}-transformers"
    fi
}

# upload_folder DIR REPO: send a folder to the hub; offline or not logged in, write what would be
# sent.
upload_folder() {
    "${python}" -m espnet_ssr.bin.ssr_upload --folder "$1" --repo "$2" \
        --report "${1%/*}/upload_${1##*/}.json"
}
