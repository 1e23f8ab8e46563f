#!/usr/bin/env bash
# What each choice of the default recipe brings: conf/distill.yaml with one thing changed, all with the
# same seed and the same number of steps, in exp/ablation.md:
#     local/ablation.sh [--variants 'default jitter ...'] [--seed 0] [--epochs 16]
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=/dev/null
. ./path.sh

variants="default cosine mse centred_cosine normalized_mse info_nce cross_entropy cosine_mse \
centred_cosine_normalized_mse info_nce_mse cross_entropy_mse time_masks jitter speed_perturbation \
one_layer wider context pool_last pool_attention pool_cross whisper_base"
seed=0
epochs=16
. parse_options.sh

config=conf/distill.yaml
connector=$(basename "$(readlink -f "${config}")" .yaml) # distill_X

# train NAME ARGS [OPTION...]: train and test with further options ARGS of the distillation and
# further options of run.sh.
train() {
    local name=$1 args=$2
    shift 2
    ./run.sh --stop_stage 10 --llm_inference true --distill_config "${config}" \
        --distill_tag "ablation_${name}" --distill_args="--seed ${seed} ${args}" "$@"
}

# losses JSON: an option that replaces all losses of the config; JSON without spaces.
losses() { echo "--max_epoch ${epochs} --model_conf losses={$1}"; }

# variant NAME: train it.
variant() {
    local args="--max_epoch ${epochs}"
    case $1 in
        default) train "$1" "${args}" ;;
        cosine | mse | centred_cosine | normalized_mse | info_nce | cross_entropy)
            train "$1" "$(losses "\"$1\":1")"
            ;;
        cosine_mse) train "$1" "$(losses '"cosine":1,"mse":1')" ;; # SSR
        centred_cosine_normalized_mse)                             # ACIF
            train "$1" "$(losses '"centred_cosine":10,"normalized_mse":0.01')"
            ;;
        info_nce_mse) train "$1" "$(losses '"info_nce":1,"mse":1')" ;;
        cross_entropy_mse) train "$1" "$(losses '"cross_entropy":1,"mse":1')" ;;
        time_masks)
            args+=" --specaug_conf apply_freq_mask=false --specaug_conf num_time_mask=4"
            train "$1" "${args} --specaug_conf time_mask_width_range=[0,5]"
            ;;
        jitter) train "$1" "${args} --jitter 0.02" ;;
        speed_perturbation) # three times the data
            train "$1" "--max_epoch $((epochs / 3))" --speed_perturb_factors "0.9 1.1"
            ;;
        one_layer) train "$1" "${args} --connector_conf num_layers=1" ;;
        wider)
            train "$1" "${args} --connector_conf hidden_size=768 --connector_conf feedforward_size=1536"
            ;;
        context) train "$1" "${args} --connector_conf context=1" ;;
        pool_*) train "$1" "${args} --connector_conf pooling=${1#pool_}" ;;
        whisper_base) train "$1" "${args}" --encoder_model whisper-base ;;
        *)
            echo "$0: no variant $1" >&2
            exit 1
            ;;
    esac
}

rows=()
for name in ${variants}; do
    variant "${name}"
    rows+=(--row "${name}" "exp/${connector}_ablation_${name}")
done
baseline=()
if [[ " ${variants} " == *" default "* ]]; then baseline=(--baseline default); fi
python3 -m espnet_ssr.bin.compare_connectors "${rows[@]}" "${baseline[@]}" \
    --title "Ablation of the default recipe" --output exp/ablation.md
