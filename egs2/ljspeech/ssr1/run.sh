#!/usr/bin/env bash
# LJ Speech: a day of one reader's speech, in ESPnet's sets. Options are those of ssr.sh
# (./run.sh --help) and override what is set here.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

./ssr.sh \
    --train_set tr_no_dev \
    --valid_set dev \
    --test_sets eval1 \
    "$@"
