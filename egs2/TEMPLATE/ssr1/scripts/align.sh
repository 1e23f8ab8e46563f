# shellcheck shell=bash
# Sourced by ssr.sh: stage 4, and the features that it and stage 6 want.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

# extract_features SET NAME [OPTION...]: frame features of a set in its folder NAME; the options are
# the encoder's, beside encoder_conf.
extract_features() {
    local data=${dumpdir}/$1 folder=${dumpdir}/$1/$2 options=("${encoder_options[@]}" "${@:3}")
    local inputs=(encoder="${encoder}" conf="${options[*]}" compression="${compression_method}"
        frame_rate="${frame_rate}" --files "${data}/wav.scp")
    begin "${folder}" "${inputs[@]}" || return 0
    # shellcheck disable=SC2086
    run_array "${infer_cmd}" feats "${data}/wav.scp" "${folder}" \
        "${python}" -m espnet_ssr.bin.dump_feats --data_dir "${data}" \
        --encoder "${encoder}" --encoder_conf "${options[@]}" --device "${device}" \
        ${compression_method:+--compression_method ${compression_method}}
    "${python}" -m espnet_ssr.bin.dump_feats --data_dir "${data}" \
        --output_dir "${folder}" --merge_jobs "${num_jobs}" --frame_rate "${frame_rate}"
    finish "${folder}" "${inputs[@]}"
}

# fit_units: k-means units of the aligner's training set, for aligners that want them.
fit_units() {
    local feats_scp=${dumpdir}/${align_train_set}/${align_feats_name}/feats.scp
    local inputs=(num_units="${num_units}" --files "${feats_scp}")
    begin "${units_dir}" "${inputs[@]}" || return 0
    ${train_cmd} "${units_dir}/kmeans.log" "${python}" -m espnet_ssr.bin.ssr_kmeans \
        --feats_scp "${feats_scp}" --num_units "${num_units}" --output "${units_dir}/centroids.npy"
    finish "${units_dir}" "${inputs[@]}"
}

# train_aligner: train the aligner that align_config describes, on align_train_set.
train_aligner() {
    local part set data feats data_inputs=(frame_rate="${frame_rate}" --files) training_options=(
        --frame_rate "${frame_rate}"
        --input_size "$(cat "${dumpdir}/${align_train_set}/${align_feats_name}/feats_dim")")
    for part in train valid; do
        set=$([ "${part}" = train ] && echo "${align_train_set}" || echo "${valid_set}")
        data=${dumpdir}/${set}
        feats=${data}/${align_feats_name}/feats.scp
        data_inputs+=("${data}/text" "${feats}")
        training_options+=("--${part}_data_path_and_name_and_type" "${data}/text,text,text"
            "--${part}_data_path_and_name_and_type" "${feats},feats,kaldi_ark")
    done
    if [ "${num_units}" -gt 0 ]; then
        data_inputs+=("${units_dir}/centroids.npy")
        training_options+=(--aligner_conf "units=${units_dir}/centroids.npy")
    fi
    train_model "${aligner_dir}" ssr_align_train "${align_config}" "${align_args}"
}

# textless_suffix TEXTLESS: what folders of textless results end in.
textless_suffix() {
    if [ "$1" = true ]; then echo _textless; fi
}

# align_set SET TEXTLESS: align the set's transcripts or, textless (true), the aligner's guess.
align_set() {
    local data=${dumpdir}/$1 reference=data/$1/word.ctm suffix
    local given=${given:-${reference}}
    suffix=$(textless_suffix "$2")
    local folder=${data}/${align_name}${suffix}
    local files=("${data}/wav.scp" "${data}/text")
    local options=(--aligner "${aligner}" --aligner_conf "${aligner_options[@]}") cmd=${train_cmd}
    if [ -n "${align_config}" ]; then
        files+=("${aligner_model}" "${data}/${align_feats_name}/feats.scp")
        cmd=${infer_cmd}
        options=(--aligner trained --aligner_conf "model=${aligner_model}" "device=${device}"
            --feats_scp "${data}/${align_feats_name}/feats.scp")
    elif [ "${aligner}" = given ]; then
        [ -e "${given}" ] || die "no ${given}: --aligner given wants --given, or true times from stage 1"
        files+=("${given}")
    fi
    if [ -e "${reference}" ]; then files+=("${reference}"); fi # as report_alignments reads it
    local inputs=(aligner="${aligner}" conf="${aligner_conf}" --files "${files[@]}")
    begin "${folder}" "${inputs[@]}" || return 0
    num_jobs=0
    case ${aligner} in
        given)
            "${python}" -m espnet_ssr.bin.ssr_align_given --data_dir "${data}" \
                --given "${given}" --output_dir "${folder}"
            ;;
        mfa)
            "${MAIN_ROOT}/egs2/TEMPLATE/ssr1/scripts/mfa.sh" --data_dir "${data}" \
                --output_dir "${folder}" --nj "${nj}" --mfa_options "${aligner_conf}"
            ;;
        *)
            run_array "${cmd}" align "${data}/wav.scp" "${folder}" \
                "${python}" -m espnet_ssr.bin.ssr_align --data_dir "${data}" --textless "$2" "${options[@]}"
            ;;
    esac
    report_alignments "$1" "${folder}" "${num_jobs}"
    finish "${folder}" "${inputs[@]}"
}

# report_alignments SET DIR NUM_JOBS: collect the results of NUM_JOBS jobs (0: they are together)
# in the set's alignment folder DIR, and compare them with true word times where these are known.
report_alignments() {
    local reference=data/$1/word.ctm options=()
    if [ -e "${reference}" ]; then options=(--reference "${reference}"); fi
    "${python}" -m espnet_ssr.bin.ssr_align_report --data_dir "${dumpdir}/$1" --align_dir "$2" \
        --nj "$3" "${options[@]}"
}

# segment_set SET TEXTLESS: LLM tokens of the set's transcripts (or of the aligner's guess) and their
# segments.
segment_set() {
    local data=${dumpdir}/$1 suffix options=("${segment_options[@]}")
    suffix=$(textless_suffix "$2")
    if [ "$2" = true ] && [ "${textless_unit}" = word ]; then options+=(--word_segments true); fi
    local align=${data}/${align_name}${suffix} folder=${data}/${seg_name}${suffix}
    local inputs=(llm="${llm}" frame_rate="${frame_rate}" fs="${fs}" prefix_space="${prefix_space}"
        options="${options[*]}"
        --files "${data}/text" "${data}/utt2num_samples" "${align}/word.ctm")
    begin "${folder}" "${inputs[@]}" || return 0
    "${python}" -m espnet_ssr.bin.ssr_segment --data_dir "${data}" --llm "${llm}" \
        --align_dir "${align}" --output_dir "${folder}" --frame_rate "${frame_rate}" --fs "${fs}" \
        --prefix_space "${prefix_space}" --textless "$2" "${options[@]}"
    finish "${folder}" "${inputs[@]}"
}
