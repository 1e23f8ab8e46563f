#!/usr/bin/env bash
# TIMIT: data, word times and LLM tokens, with word times measured against those made by hand
# (dump/*/align_*/report.md). Options are those of ssr.sh (./run.sh --help) and override these.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

# Stage 6 and later ones would train a connector; hmm, the default aligner, needs no training.
./ssr.sh \
    --stop_stage 5 \
    --train_set train \
    --valid_set dev \
    --test_sets "test test_full" \
    "$@"
