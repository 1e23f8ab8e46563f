#!/usr/bin/env bash
# A piece of LibriSpeech, for a look at the recipe without a GPU:  ./run_mini.sh FOLDER [options]
# FOLDER has train-clean-100 in it or in its folder LibriSpeech, whole or a few speakers of it. They
# are split into data/train, data/valid and data/test. Options are those of ssr.sh.
set -euo pipefail

if [ $# -eq 0 ] || [[ $1 == -* ]]; then
    echo "Usage: $0 FOLDER [options]    FOLDER: LibriSpeech or a piece of it; ./ssr.sh --help for options"
    exit $(($# == 0))
fi
corpus_dir=$(realpath "$1")
shift
cd "$(dirname "$(readlink -f "$0")")"

./ssr.sh \
    --local_data_opts "--split_part train-clean-100 --corpus_dir ${corpus_dir}" \
    --train_set train \
    --valid_set valid \
    --test_sets test \
    --distill_config conf/tuning/distill_ssr_block_mean.yaml \
    "$@"
