#!/usr/bin/env bash
# What each choice of the default recipe brings: conf/distill.yaml with one thing changed, all with the
# same seed, in exp/ablation.md:
#     local/ablation.sh [--seed 0]
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=/dev/null
. ./path.sh

seed=0
. parse_options.sh

config=conf/distill.yaml
connector=$(basename "$(readlink -f "${config}")" .yaml) # distill_X
rows=()

# variant NAME ARGS [OPTION...]: train with further options ARGS of the distillation and further
# options of run.sh; NAME is the row of the table.
variant() {
    local name=$1 args=$2
    shift 2
    ./run.sh --stop_stage 10 --distill_config "${config}" --distill_tag "ablation_${name}" \
        --distill_args="--seed ${seed} ${args}" "$@"
    rows+=(--row "${name}" "exp/${connector}_ablation_${name}")
}

# losses JSON: an option that replaces all losses of the config; JSON without spaces.
losses() { echo "--model_conf losses={$1}"; }

variant default ""

# Objectives
variant cosine "$(losses '"cosine":1')"
variant mse "$(losses '"mse":1')"
variant centred_cosine "$(losses '"centred_cosine":1')"
variant normalized_mse "$(losses '"normalized_mse":1')"
variant info_nce "$(losses '"info_nce":1')"
variant cross_entropy "$(losses '"cross_entropy":1')"
variant cosine_mse "$(losses '"cosine":1,"mse":1')"                                   # SSR
variant centred_cosine_normalized_mse "$(losses '"centred_cosine":1,"normalized_mse":1')" # ACIF
variant cross_entropy_mse "$(losses '"cross_entropy":1,"mse":1')"

# Augmentation
variant time_masks "--specaug_conf apply_freq_mask=false --specaug_conf time_mask_width_range=[0,5]"
variant jitter_20ms "--jitter 0.02"

# Features
variant whisper_base "" --encoder_model whisper-base

python3 -m espnet_ssr.bin.compare_connectors "${rows[@]}" --baseline default \
    --title "Ablation of the default recipe" --output exp/ablation.md
