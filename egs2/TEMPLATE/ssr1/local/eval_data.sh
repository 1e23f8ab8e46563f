#!/usr/bin/env bash
# Fetches the benchmarks of stages 10 and 11 that may be downloaded, and says where the others are to
# be asked for and put.
set -euo pipefail

download_dir=downloads/eval
benchmarks="blimp hellaswag mmlu"
mirror=
hellaswag_sha256=0aa3b88843990f3f10a97b9575c94d7b71fb2205240ba04ae4884d9e9c992588
mmlu_sha256=bec563ba4bac1d6aaf04141cd7d1605d7a5ca833e38f994051e818489592989b
help_message="Usage: local/eval_data.sh [options]

Fetches benchmarks into <download_dir> and says what StoryCloze and ZeroSpeech want. It can be
interrupted and run again: what is there is kept, and downloads go on where they ended.

    --download_dir downloads/eval
    --benchmarks 'blimp hellaswag mmlu'   which of them to fetch (10 MB, 12 MB, 166 MB)
    --mirror URL          folder with the files master.tar.gz (BLiMP), hellaswag_val.jsonl and data.tar
                          (MMLU) that is used in place of their own servers; file:///... will do
    --hellaswag_sha256, --mmlu_sha256   what these files should have; nothing: what they have when
                          they are first fetched, as it is with BLiMP"

cd "$(dirname "$0")/.." # where the link is, not where it leads: that is the recipe
# shellcheck source=/dev/null
. ./path.sh
. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/eval_data.sh: unexpected argument: $1" >&2
    exit 1
fi
sums=${download_dir}/SHA256SUMS # of what had no known one when it was fetched

log() {
    echo "$(date '+%Y-%m-%dT%H:%M:%S') (local/eval_data.sh) $*"
}

fail() {
    echo "local/eval_data.sh: $*" >&2
    exit 1
}

# download URL FILE: fetch FILE, whole or not at all; a part that is there is gone on with.
download() {
    if command -v curl >/dev/null; then
        curl --fail --location --silent --show-error --connect-timeout 20 --retry 3 \
            --continue-at - --output "$2.part" "$1" || return 1
    elif command -v wget >/dev/null; then
        wget --no-verbose --timeout=20 --tries=3 --continue --output-document="$2.part" \
            "$1" || return 1
    else
        fail "neither curl nor wget is installed"
    fi
    mv "$2.part" "$2"
}

# fetch URL FILE [SHA256]: download FILE into download_dir unless it is there, and compare its sum with
# SHA256 or else with that of the first time.
fetch() {
    local url=${mirror:+${mirror%/}/${1##*/}} file=${download_dir}/$2 wanted=${3:-} found
    url=${url:-$1}
    if [ ! -e "${file}" ]; then
        log "fetching ${url}"
        # Not every server can go on with a part, or knows that it is whole already.
        download "${url}" "${file}" || { rm -f "${file}.part" && download "${url}" "${file}"; } ||
            fail "could not fetch ${url}; get it elsewhere and put it at ${file}, or give --mirror"
    fi
    found=$(sha256sum "${file}" | cut -d ' ' -f 1)
    if [ -z "${wanted}" ] && [ -e "${sums}" ]; then
        wanted=$(awk -v name="$2" '$2 == name { print $1 }' "${sums}")
    fi
    if [ -z "${wanted}" ]; then
        log "$2: sum ${found}, recorded in ${sums}"
        echo "${found}  $2" >>"${sums}"
    elif [ "${found}" != "${wanted}" ]; then
        rm "${file}"
        fail "${url} is broken, or another version: its sha256 is ${found}, not ${wanted}. It was" \
            "removed: run this again; if it is the version that you want, see --help and ${sums}"
    fi
}

# unpack ARCHIVE FOLDER: make FOLDER, in download_dir, of what is in the only folder of ARCHIVE, whole
# or not at all.
unpack() {
    local folder=${download_dir}/$2
    rm -rf "${folder}.tmp"
    mkdir -p "${folder}.tmp"
    tar --no-same-owner --strip-components=1 -xf "${download_dir}/$1" -C "${folder}.tmp" ||
        fail "${download_dir}/$1: cannot be unpacked; remove it and run this again"
    mv "${folder}.tmp" "${folder}"
    rm "${download_dir}/$1"
}

# is_there PATTERN: whether a file in download_dir fits it.
is_there() {
    compgen -G "${download_dir}/$1" >/dev/null
}

fetch_blimp() {
    is_there 'blimp/data/*.jsonl' && return
    fetch https://github.com/alexwarstadt/blimp/archive/refs/heads/master.tar.gz blimp.tar.gz
    unpack blimp.tar.gz blimp
}

fetch_hellaswag() {
    mkdir -p "${download_dir}/hellaswag"
    fetch https://raw.githubusercontent.com/rowanz/hellaswag/master/data/hellaswag_val.jsonl \
        hellaswag/hellaswag_val.jsonl "${hellaswag_sha256}"
}

fetch_mmlu() {
    is_there 'mmlu/test/*.csv' && return
    fetch https://people.eecs.berkeley.edu/~hendrycks/data.tar mmlu.tar "${mmlu_sha256}"
    unpack mmlu.tar mmlu
}

# ask PATTERN NAME HOW: say where a benchmark is, or how to get it.
ask() {
    if is_there "$1"; then
        log "$2: found ${download_dir}/$1"
    else
        log "$2: not there; $3; put it so that ${download_dir}/$1 is there"
    fi
}

mkdir -p "${download_dir}"
for name in ${benchmarks}; do
    case ${name} in
        blimp | hellaswag | mmlu) "fetch_${name}" ;;
        *) fail "--benchmarks: ${name} is none of: blimp hellaswag mmlu" ;;
    esac
done
ask 'blimp/data/*.jsonl' BLiMP "run this with --benchmarks blimp"
ask 'hellaswag/hellaswag_val.jsonl' HellaSwag "run this with --benchmarks hellaswag"
ask 'mmlu/test/*.csv' MMLU "run this with --benchmarks mmlu"
ask 'storycloze/*.csv' StoryCloze "fill in the form at https://cs.rochester.edu/nlp/rocstories/"
ask 'spoken_storycloze/*/*_correct.txt' "StoryCloze as speech (sSC, tSC)" \
    "follow https://github.com/slp-rl/SpokenStoryCloze"
ask 'zerospeech2021/lexical/*/gold.csv' sWUGGY \
    "pip install zerospeech-benchmarks; zrc datasets:pull sLM21-dataset; see https://zerospeech.com"
ask 'zerospeech2021/syntactic/*/gold.csv' sBLIMP "it comes with sWUGGY"
