#!/usr/bin/env bash
# LibriSpeech: 100 hours, or more with --train_set train_460 or train_960. Options are those of ssr.sh
# (./run.sh --help) and override what is set here. run_mini.sh takes a small piece of the corpus.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

train_set=train_clean_100
# Stage 1 makes the training set that is asked for.
previous=
for word in "$@"; do
    case ${previous} in --train[-_]set) train_set=${word} ;; esac
    case ${word} in --train[-_]set=*) train_set=${word#*=} ;; esac
    previous=${word}
done

./ssr.sh \
    --local_data_opts "--train_set ${train_set}" \
    --train_set "${train_set}" \
    --valid_set dev \
    --test_sets "test_clean test_other" \
    "$@"
