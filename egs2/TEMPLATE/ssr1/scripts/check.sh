# shellcheck shell=bash
# Sourced by ssr.sh: refuses options that cannot work before the first stage begins.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

for name in train_set valid_set test_sets; do
    [ -n "${!name}" ] || die "--${name} is required"
done
[ "${textless_unit}" = word ] || [ "${textless_unit}" = token ] \
    || die "--textless_unit must be word or token, not ${textless_unit}"
for name in stage stop_stage nj inference_nj ngpu num_nodes augment_copies augment_seed; do
    [[ ${!name} =~ ^[0-9]+$ || ${name}=${!name} == stage= ]] \
        || die "--${name} must be a number, not '${!name}'"
done
for name in nj inference_nj augment_copies; do
    [ "${!name}" -ge 1 ] || die "--${name} must be 1 or more, not ${!name}"
done
[ -n "${distill_config}${lm_config}" ] || die "neither --distill_config nor --lm_config is given"
for name in distill_config lm_config; do
    for config in ${!name}; do
        [ -f "${config}" ] || die "--${name}: no such file: ${config}"
    done
done
for name in ${finetune}; do
    [ -f "conf/tuning/finetune_${name}.yaml" ] \
        || die "--finetune ${name}: not one of $(echo conf/tuning/finetune_*.yaml)"
done
[ -z "${finetune}" ] || [ -n "${distill_config}" ] || die "--finetune needs --distill_config"
[ -z "${blimp}" ] || [ -d "${blimp}" ] || die "--blimp: no such folder: ${blimp}"
[ -z "${retention_text}" ] || [ -f "${retention_text}" ] \
    || die "--retention_text: no such file: ${retention_text}"
[ -z "${replay_text}" ] || [ -f "${replay_text}" ] || die "--replay_text: no such file: ${replay_text}"
[ -z "${choice_config}" ] || [ -f "${choice_config}" ] \
    || die "--choice_config: no such file: ${choice_config}"
[ -z "${choice_args}" ] || [ -n "${choice_config}" ] || die "--choice_args needs --choice_config"
[ -f "${inference_config}" ] || die "--inference_config: no such file: ${inference_config}"
[ "${feats_type}" = extracted ] || [ "${feats_type}" = raw ] \
    || die "--feats_type must be extracted or raw, not ${feats_type}"
if [ -z "${align_config}" ] && [ -f "conf/tuning/align_${aligner}.yaml" ]; then
    align_config=conf/tuning/align_${aligner}.yaml
fi
can_guess=$([ -n "${align_config}" ] && echo true || echo false)
[ -z "${align_config}" ] || [ -f "${align_config}" ] \
    || die "--align_config: no such file: ${align_config}"
case ${aligner} in
    hmm | whisper | mfa) ;;
    given)
        [ -z "${given}" ] || [ -e "${given}" ] \
            || die "--aligner given: no such file or folder: --given '${given}'"
        ;;
    hf_ctc) can_guess=true ;;
    *)
        [ -n "${align_config}" ] || die "--aligner ${aligner}: neither a name that --help lists" \
            "nor one of $(echo conf/tuning/align_*.yaml)"
        ;;
esac
[ "${num_nodes}" -le 1 ] || [[ ${cuda_cmd} =~ ^(slurm\.pl|sge\.py) ]] \
    || die "--num_nodes ${num_nodes} needs cmd_backend=slurm or sge in cmd.sh"
[ "${textless}" = false ] || "${can_guess}" \
    || die "--textless true: ${aligner} needs transcripts; a CTC aligner does not"
[ -z "${augment}" ] || [ -z "${speed_perturb_factors}" ] \
    || die "--speed_perturb_factors beside --augment: give speed=... in --augment"
[[ ${augment_tag} =~ ^[a-zA-Z0-9._-]+$ ]] \
    || die "--augment_tag should be letters, digits, '.', '_' and '-', not '${augment_tag}'"
[ "${stage}" != 2 ] || [ -n "${speed_perturb_factors}${augment}" ] \
    || die "--stage 2 needs --speed_perturb_factors or --augment"
if ! "${skip_upload}"; then
    [[ ${hf_repo} =~ ^[^/]+/[^/]+$ ]] || die "--skip_upload false needs --hf_repo owner/name"
    [ "$(wc -w <<< "${finetune:-${lm_config:-${distill_config}}}")" = 1 ] \
        || die "--hf_repo ${hf_repo} is for one model: give one --finetune, --lm_config or" \
            "--distill_config"
fi
[ "${stage}" != 12 ] || ! "${skip_packing}" || die "--stage 12 needs --skip_packing false"
[ "${stage}" != 13 ] || ! "${skip_upload}" || die "--stage 13 needs --skip_upload false"
[ "${stage}" != 9 ] || [ -n "${lm_config}${finetune}" ] \
    || die "--stage 9 needs --lm_config or --finetune"
