#!/usr/bin/env bash
# Asterisk English prompts: from recorded speech to distilled connectors and exp/RESULTS.md.
# Options are those of ssr.sh (./run.sh --help) and override what is set here.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

./ssr.sh \
    --train_set train \
    --valid_set valid \
    --test_sets test \
    --distill_config "conf/distill.yaml conf/tuning/distill_ssr_block.yaml conf/tuning/distill_mean.yaml" \
    "$@"
