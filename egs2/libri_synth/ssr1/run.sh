#!/usr/bin/env bash
# LibriSpeech and synthetic speech: trained on many speakers, tested on voices and sentences that
# were never heard. Options are those of ssr.sh (./run.sh --help) and override what is set here.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

./ssr.sh \
    --train_set train \
    --valid_set valid \
    --test_sets test_voices \
    "$@"
