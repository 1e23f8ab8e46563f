#!/usr/bin/env bash
# MLS English with the paper's LLM: 44,660 hours. A first look, with 9 hours and small models, needs no
# GPU; see README.md. Options are those of ssr.sh (./run.sh --help) and override what is set here.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

# Features are computed while training: on disk they would be 33 TB.
./ssr.sh \
    --train_set train \
    --valid_set dev \
    --test_sets test \
    --feats_type raw \
    --encoder hf \
    --encoder_model microsoft/wavlm-large \
    --llm meta-llama/Meta-Llama-3-8B \
    --finetune multitask_lora \
    --replay_start "" \
    "$@"
