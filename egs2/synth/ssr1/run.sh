#!/usr/bin/env bash
# A corpus of synthetic speech with true word times, made of any text:  SYNTH_TEXT=my.txt ./run.sh
# Options are those of ssr.sh (./run.sh --help) and override what is set here.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

# The times of data/<set>/word.ctm. Voices that do not tell them need another one, such as hmm.
./ssr.sh \
    --train_set train \
    --valid_set valid \
    --test_sets test \
    --aligner given \
    ${SYNTH_TEXT:+--local_data_opts "--text ${SYNTH_TEXT}"} \
    "$@"
