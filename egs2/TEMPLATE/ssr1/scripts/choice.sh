# shellcheck shell=bash
# Sourced by ssr.sh: choice tasks, in stages 10 and 11. What does not depend on a model (the LLM on
# text, the cascade, controls) is asked once, into ${choice_dir}; each model is asked into a folder
# of the same name below its own.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

# choose DIR OPTIONS...: have systems of choice_config choose between candidates; their answers go to
# DIR/<system>/<task>. The caller's array inputs is what they depend on (as for begin).
choose() {
    local folder=$1 more_options
    shift
    read -r -a more_options <<< "${choice_args}"
    # From scratch if it was finished; shards are deeper than begin looks for them.
    if [ "${stage}" = 10 ] && [ -e "${folder}/.done" ]; then rm -rf "${folder}"/*/*/shards; fi
    begin "${folder}" "${inputs[@]}" || return 0
    touch "${folder}/.begun"
    ${infer_cmd} "${folder}/choice.log" "${python}" -m espnet_ssr.bin.ssr_choice \
        --config "${choice_config}" --output_dir "${folder}" --nj "${inference_nj}" \
        --device "${device}" "$@" "${more_options[@]}"
    # Former results of systems and tasks that are not asked any more are no rows of the report.
    find "${folder}" -mindepth 3 -maxdepth 3 -name result.json ! -newer "${folder}/.begun" -delete
    finish "${folder}" "${inputs[@]}"
}

# choose_all: stage 10.
choose_all() {
    local model
    choose_without_model
    for model in $(distilled_models) $(through_llm_models) $(finetuned_models); do
        choose_with_model "${model}"
    done
}

choose_without_model() {
    local inputs=(args="${choice_args}" llm="${llm}" --files "${choice_config}")
    choose "${choice_dir}" --llm "${llm}"
}

# choose_with_model CHECKPOINT: rows are called by the experiment, without the LLM that all share.
choose_with_model() {
    local folder=${1%/*} files=("${choice_config}" "$1") inputs name
    name=${folder##*/}
    if [ -n "${align_config}" ]; then files+=("${aligner_model}"); fi
    mapfile -t -O "${#files[@]}" files < <(aligner_in "$1")
    inputs=(args="${choice_args}" options="${model_options[*]}" --files "${files[@]}")
    choose "${folder}/${choice_name}" --model_file "$1" --model_name "${name%_"${llm_tag}"}" \
        "${model_options[@]}"
}

# report_choice: stage 11, tables and a page of all models below expdir that were asked.
report_choice() {
    local folder=${choice_dir}/report model set file inputs results dirs fidelity=()
    mapfile -t results < <(find -H "${expdir}" -maxdepth 5 \
        -path "*/${choice_name}/*/*/result.json" | sort)
    [ "${#results[@]}" -gt 0 ] || die "no results of ${choice_config} below ${expdir}: run stage 10"
    mapfile -t dirs < <(printf '%s\n' "${results[@]%/*/*/result.json}" | sort -u)
    for model in $(distilled_models); do
        for set in ${test_sets}; do
            file=${model%/*}/${inference_name}/${set}/result.json
            if [ -e "${file}" ]; then fidelity+=("${file}"); fi
        done
    done
    inputs=(--files "${results[@]}" "${fidelity[@]}")
    begin "${folder}" "${inputs[@]}" || return 0
    ${train_cmd} "${folder}/report.log" "${python}" -m espnet_ssr.bin.ssr_choice_report \
        --choice_dir "${dirs[@]}" --output_dir "${folder}" --fidelity "${fidelity[@]}" \
        --command "./ssr.sh${recipe_args}"
    finish "${folder}" "${inputs[@]}"
}
