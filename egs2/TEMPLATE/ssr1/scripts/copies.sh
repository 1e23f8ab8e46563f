# shellcheck shell=bash
# Sourced by ssr.sh: copies of utterances of the training set, in stages 2 and 4.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

# perturb_speed SOURCE SET: make data/SET of data/SOURCE and copies of it at speed_perturb_factors.
perturb_speed() {
    local inputs=(factors="${speed_perturb_factors}" --files "data/$1")
    begin "data/$2" "${inputs[@]}" || return 0
    # shellcheck disable=SC2086 # several factors
    perturb_data_dir_speed.py "data/$1" "data/$2" ${speed_perturb_factors}
    finish "data/$2" "${inputs[@]}"
}

# augment_set SOURCE SET: make data/SET of data/SOURCE and augment_copies copies of it, altered as
# augment says.
augment_set() {
    local inputs=(augment="${augment}" copies="${augment_copies}" seed="${augment_seed}"
        --files "data/$1")
    begin "data/$2" "${inputs[@]}" || return 0
    augment_data_dir.py --copies "${augment_copies}" --seed "${augment_seed}" \
        "data/$1" "data/$2" "${augment}"
    finish "data/$2" "${inputs[@]}"
}

# rescale_alignments SOURCE SET: alignments of SET, copies of SOURCE, from those of SOURCE.
rescale_alignments() {
    local original=${dumpdir}/$1 data=${dumpdir}/$2 reference=data/$2/word.ctm
    local folder=${data}/${align_name}
    local inputs=(--files "${data}"/{wav.scp,utt2uniq,utt2speed} "${original}/dropped"
        "${original}/${align_name}")
    if [ -e "${reference}" ]; then inputs+=("${reference}"); fi # as report_alignments reads it
    begin "${folder}" "${inputs[@]}" || return 0
    "${python}" -m espnet_ssr.bin.ssr_align_copies --data_dir "${data}" \
        --original_dir "${original}" --original_align_dir "${original}/${align_name}" \
        --output_dir "${folder}"
    report_alignments "$2" "${folder}" 0
    finish "${folder}" "${inputs[@]}"
}
