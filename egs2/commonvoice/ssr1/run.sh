#!/usr/bin/env bash
# Common Voice: English sentences read by volunteers. Options are those of ssr.sh (./run.sh --help) and
# override what is set here.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

./ssr.sh \
    --train_set train \
    --valid_set dev \
    --test_sets test \
    "$@"
