# shellcheck shell=bash
# Sourced by ssr.sh: stage 10, a model on a test set.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

# infer COMMAND MODEL SET SUFFIX SEG ARGS...: run espnet_ssr.bin.COMMAND with a checkpoint on a test
# set; what it finds goes to a folder whose name ends in SUFFIX, ends of segments come from SEG.
infer() {
    local command=$1 model=$2 set=$3 suffix=$4 seg=$5 source_file aligners inputs call
    local way_out="8, or see --inference_model"
    [[ ${model} == "${expdir}"/distill_*/* ]] || way_out="9, or see --lm_inference_model"
    local folder=${model%/*}/${inference_name}${suffix}/${set}
    local reference=${dumpdir}/${set}/${seg_name}/token_id
    shift 5
    source_file=$(inputs_of "${set}")
    source_file=${source_file%%,*}
    [ -e "${model}" ] || die "no ${model}: run stage ${way_out}"
    mapfile -t aligners < <(aligner_in "${model}")
    inputs=(args="${inference_args}" command="${command}" --files "${inference_config}"
        "${reference}" "${seg}/token_end" "${source_file}" "${model}" "${aligners[@]}")
    begin "${folder}" "${inputs[@]}" || return 0
    call=("${python}" -m "espnet_ssr.bin.${command}" --config "${inference_config}"
        --model_file "${model}" --seg_dir "${seg}" --reference "${reference}"
        "$([ "${feats_type}" = raw ] && echo --wav_scp || echo --feats_scp)" "${source_file}"
        --device "${device}" --output_dir "${folder}" "${decode_options[@]}" "$@")
    if [ "${command}" = ssr_lm_inference ]; then
        infer_in_jobs "${reference}" "${folder}" "${call[@]}"
    else
        ${infer_cmd} "${folder}/inference.log" "${call[@]}"
    fi
    finish "${folder}" "${inputs[@]}"
}

# infer_in_jobs KEYS DIR COMMAND...: run COMMAND as an array of jobs, then merge what they found. They
# share out the lines of KEYS among themselves, in shards that are the same for any --inference_nj.
infer_in_jobs() {
    local keys=$1 logs=$2/logs shard_size=20 shards jobs
    shift 2
    mkdir -p "${logs}"
    shards=$((($(wc -l < "${keys}") + shard_size - 1) / shard_size))
    jobs=$((shards < inference_nj ? shards : inference_nj))
    ${infer_cmd} JOB=1:"${jobs}" "${logs}/inference.JOB.log" \
        "$@" --shard_size "${shard_size}" --job JOB --num_jobs "${jobs}"
    ${train_cmd} "${logs}/merge.log" "$@" --merge_jobs "${jobs}"
}

# infer_distilled MODEL SET TEXTLESS: its vectors against the embeddings of the set's tokens; on
# segments that were cut by transcripts or, textless (true), by the aligner's guess.
infer_distilled() {
    local suffix
    suffix=$(textless_suffix "$3")
    infer ssr_distill_inference "$1" "$2" "${suffix}" "${dumpdir}/$2/${seg_name}${suffix}" \
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
    ${infer_cmd} "${folder}/retention.log" "${python}" -m espnet_ssr.bin.ssr_retention \
        --model_file "$1" --before "${expdir}/retention_${llm_tag}.json" --device "${device}" \
        --output_dir "${folder}" "${options[@]}"
    finish "${folder}" "${inputs[@]}"
}

# transcribe_set SET: by Whisper, as the first half of a cascade.
transcribe_set() {
    local data=${dumpdir}/$1 folder=${expdir}/asr_${asr_model##*/}/$1 inputs call
    inputs=(model="${asr_model}" --files "${data}/wav.scp" "${data}/text")
    begin "${folder}" "${inputs[@]}" || return 0
    call=("${python}" -m espnet_ssr.bin.asr_inference --data_dir "${data}")
    run_array "${infer_cmd}" asr "${data}/wav.scp" "${folder}" \
        "${call[@]}" --model "${asr_model}" --device "${device}"
    "${call[@]}" --output_dir "${folder}" --merge_jobs "${num_jobs}"
    finish "${folder}" "${inputs[@]}"
}
