# shellcheck shell=bash
# Sourced by ssr.sh: stage 10, a model on a test set.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

# infer COMMAND MODEL SET SUFFIX SEG ARGS...: run espnet_ssr.bin.COMMAND with a checkpoint on a test
# set; what it finds goes to a folder whose name ends in SUFFIX, ends of segments come from SEG.
infer() {
    local command=$1 model=$2 set=$3 suffix=$4 seg=$5 source_file inputs
    local way_out="8, or see --inference_model"
    [[ ${model} == "${expdir}"/distill_*/* ]] || way_out="9, or see --lm_inference_model"
    local folder=${model%/*}/${inference_name}${suffix}/${set}
    shift 5
    source_file=$(inputs_of "${set}")
    source_file=${source_file%%,*}
    [ -e "${model}" ] || die "no ${model}: run stage ${way_out}"
    inputs=(args="${inference_args}" command="${command}" --files "${inference_config}"
        "${dumpdir}/${set}/${seg_name}/token_id" "${seg}/token_end" "${source_file}" "${model}")
    begin "${folder}" "${inputs[@]}" || return 0
    ${train_cmd} "${folder}/inference.log" \
        "${python}" -m "espnet_ssr.bin.${command}" --config "${inference_config}" \
        --model_file "${model}" --seg_dir "${seg}" \
        --reference "${dumpdir}/${set}/${seg_name}/token_id" \
        "$([ "${feats_type}" = raw ] && echo --wav_scp || echo --feats_scp)" "${source_file}" \
        --device "${device}" --output_dir "${folder}" "${decode_options[@]}" "$@"
    finish "${folder}" "${inputs[@]}"
}

# infer_distilled MODEL SET TEXTLESS: its vectors against the embeddings of the set's tokens; on
# segments that were cut by transcripts or, textless (true), by the aligner's guess.
infer_distilled() {
    local suffix
    suffix=$(textless_suffix "$3")
    infer ssr_inference "$1" "$2" "${suffix}" "${dumpdir}/$2/${seg_name}${suffix}" \
        --textless "$3" --train_token_id "${dumpdir}/${train_set}/${seg_name}/token_id"
}

# infer_through_llm MODEL SET: how likely the LLM finds the transcripts after its vectors.
infer_through_llm() {
    infer ssr_lm_inference "$1" "$2" _llm "${dumpdir}/$2/${seg_name}"
}

# measure_retention MODEL: what the LLM can do with text, before and after fine-tuning.
measure_retention() {
    local folder=${1%/*}/${inference_name}_retention/text options=(--limit "${blimp_limit}") files=("$1") inputs
    if [ -n "${retention_text}" ]; then
        options+=(--text_file "${retention_text}")
        files+=("${retention_text}")
    fi
    if [ -n "${blimp}" ]; then
        options+=(--blimp_dir "${blimp}")
        files+=("${blimp}")
    fi
    inputs=(limit="${blimp_limit}" --files "${files[@]}")
    begin "${folder}" "${inputs[@]}" || return 0
    ${train_cmd} "${folder}/retention.log" "${python}" -m espnet_ssr.bin.ssr_retention \
        --model_file "$1" --before "${expdir}/retention_${llm_tag}.json" --device "${device}" \
        --output_dir "${folder}" "${options[@]}"
    finish "${folder}" "${inputs[@]}"
}
