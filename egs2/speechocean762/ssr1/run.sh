#!/usr/bin/env bash
# speechocean762: children and adults who learn English. Options are those of ssr.sh (./run.sh --help)
# and override what is set here.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

./ssr.sh \
    --train_set train \
    --valid_set valid \
    --test_sets test \
    "$@"
