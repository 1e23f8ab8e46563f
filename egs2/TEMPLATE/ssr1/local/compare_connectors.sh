#!/usr/bin/env bash
# Trains connectors on this recipe's data, evaluates them and puts them beside each other in
# exp/compare_connectors.md, one table and one picture a test set.
set -euo pipefail

distilled="ssr_block_mean ssr_block ssr_causal mean cif acif" # X of conf/tuning/distill_X.yaml
through_llm="ssr_block stack pool qformer ctc_compress ctc_hull" # X of conf/tuning/lm_X.yaml
seeds=0              # all connectors are trained with these
best=                # some of the distilled ones, for example the three best,
best_seeds="1 2"     # and the further seeds that these are trained with
tag=compare          # the experiments are exp/{distill,lm}_X_<tag>_seed<seed>
distill_args=        # further options of the distillation, of all connectors
lm_args=             # further options of the training through the LLM
run_args=            # further options of run.sh, e.g. "--aligner char_ctc"

help_message="Usage: $0 [--distilled 'X ...'] [--through_llm 'X ...'] [options]

Options, with - or _ in their names:
$(sed -n 's/^\([a-z_]*\)=\([^#]*[^# ]\)\{0,1\} *# \(.*\)$/    --\1 (\2)  \3/p' "$0")"

cd "$(dirname "$0")/.." # where the link is, not where it leads: that is the recipe
# shellcheck source=/dev/null
. ./path.sh
. parse_options.sh
read -r -a run_options <<< "${run_args}"
for name in ${best}; do
    [[ " ${distilled} " == *" ${name} "* ]] || {
        echo "$0: --best: ${name} is none of: ${distilled}" >&2
        exit 1
    }
done

# train SEED DISTILLED THROUGH_LLM: train connectors and evaluate them.
train() {
    local name distill_configs=() lm_configs=()
    for name in $2; do distill_configs+=("conf/tuning/distill_${name}.yaml"); done
    for name in $3; do lm_configs+=("conf/tuning/lm_${name}.yaml"); done
    ./run.sh --stop_stage 10 --llm_inference true \
        --distill_config "${distill_configs[*]}" --distill_tag "${tag}_seed$1" \
        --distill_args="--seed $1 ${distill_args}" \
        --lm_config "${lm_configs[*]}" --lm_tag "${tag}_seed$1" --lm_args="--seed $1 ${lm_args}" \
        "${run_options[@]}"
}

# add_rows KIND NAMES SEEDS: to the array rows, a row a connector with the folders of all its seeds.
add_rows() {
    local name seed
    for name in $2; do
        rows+=(--row "${name}")
        for seed in $3 $(more_seeds "$1" "${name}"); do
            rows+=("exp/$1_${name}_${tag}_seed${seed}")
        done
    done
}

# more_seeds KIND NAME: those of the best connectors.
more_seeds() {
    if [ "$1" = distill ] && [[ " ${best} " == *" $2 "* ]]; then echo "${best_seeds}"; fi
}

# train_aligner CONNECTOR ALIGNER: what is in a connector, if it is among those to be compared.
train_aligner() {
    [[ " ${through_llm} " != *" $1 "* ]] || ./run.sh --stop_stage 4 "${run_options[@]}" --aligner "$2"
}

train_aligner ctc_compress char_ctc
train_aligner ctc_hull token_ctc
for seed in ${seeds}; do train "${seed}" "${distilled}" "${through_llm}"; done
if [ -n "${best}" ]; then
    for seed in ${best_seeds}; do train "${seed}" "${best}" ""; done
fi

rows=()
add_rows distill "${distilled}" "${seeds}"
add_rows lm "${through_llm}" "${seeds}"
python3 -m espnet_ssr.bin.compare_connectors "${rows[@]}" --title "Connectors" \
    --output exp/compare_connectors.md
