#!/usr/bin/env bash
# Fetches the Asterisk prompts, or takes those of ASTERISK in db.sh, and writes data/train,
# data/valid and data/test. path.sh was sourced by the caller; works in the recipe's folder.
set -euo pipefail

download_dir=downloads
data_dir=data
help_message="Usage: local/data.sh [--download_dir downloads] [--data_dir data]

Writes <data_dir>/{train,valid,test} and <data_dir>/dropped from the Asterisk core sounds in English
(551 prompts, 24 minutes, 10 MB, CC BY-SA 3.0). They come from the folder that ASTERISK names in
db.sh; if it names none, from Debian's packages, or else from downloads.asterisk.org."

url=https://downloads.asterisk.org/pub/telephony/sounds/asterisk-core-sounds-en-g722-current.tar.gz
min_files=500 # a whole corpus has 568

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi

log() {
    echo "$(date '+%Y-%m-%dT%H:%M:%S') (local/data.sh) $*"
}

# corpus_fault DIR: print what DIR lacks to hold the corpus, nothing if it is whole.
corpus_fault() {
    local num_files
    if [ ! -d "$1" ]; then
        echo "no such folder"
    elif [ -z "$(find -L "$1" -name 'core-sounds-en.txt*' -print -quit)" ]; then
        echo "no core-sounds-en.txt or core-sounds-en.txt.gz below it"
    else
        num_files=$(find -L "$1" -name '*.g722' -size +0 | wc -l)
        if [ "${num_files}" -lt "${min_files}" ]; then
            echo "only ${num_files} .g722 files below it, at least ${min_files} expected"
        fi
    fi
}

# fetch_debian DIR: unpack Debian's packages into DIR, without root and without installing them.
fetch_debian() {
    local packages=(asterisk-core-sounds-en asterisk-core-sounds-en-g722)
    local debs apt package
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    debs=$(realpath "$1").debs # removed by fetch_corpus
    mkdir -p "${debs}/state/lists/partial" "${debs}/cache/archives/partial"
    # Otherwise root's apt-get warns that another user cannot write into our folder.
    apt=(apt-get -qq -o APT::Sandbox::User=root)
    if ! (cd "${debs}" && "${apt[@]}" download "${packages[@]}"); then
        # The package lists may be missing or old: fetch them into a folder of our own.
        apt+=(-o "Dir::State=${debs}/state" -o "Dir::Cache=${debs}/cache"
            -o "Dir::State::status=/var/lib/dpkg/status")
        (cd "${debs}" && "${apt[@]}" update && "${apt[@]}" download "${packages[@]}") || return 1
    fi
    for package in "${debs}"/*.deb; do
        dpkg -x "${package}" "$1" || return 1
    done
}

# fetch_upstream DIR: unpack the tarball of the Asterisk project into DIR. A download that was cut
# short is resumed.
fetch_upstream() {
    local tarball
    tarball=$(dirname "$1")/$(basename "${url}")
    # A whole file cannot be resumed: servers answer that with an error.
    if tar -tzf "${tarball}.part" >/dev/null 2>&1; then
        :
    elif command -v curl >/dev/null; then
        curl --fail --location --silent --show-error --connect-timeout 20 --retry 3 \
            --continue-at - --output "${tarball}.part" "${url}" || return 1
    elif command -v wget >/dev/null; then
        wget --no-verbose --timeout=20 --tries=3 --continue --output-document="${tarball}.part" \
            "${url}" || return 1
    else
        echo "neither curl nor wget is installed" >&2
        return 1
    fi
    # A part that does not unpack is no use for resuming either.
    tar --no-same-owner -xzf "${tarball}.part" -C "$1" || { rm -f "${tarball}.part" && return 1; }
    rm "${tarball}.part"
}

# fetch_corpus DIR: make DIR hold the corpus, whole or not at all.
fetch_corpus() {
    local source partial=$1.tmp
    for source in debian upstream; do
        log "fetching the prompts (${source})"
        rm -rf "${partial}"
        mkdir -p "${partial}"
        if "fetch_${source}" "${partial}" && [ -z "$(corpus_fault "${partial}")" ]; then
            mv "${partial}" "$1"
            rm -rf "${partial}.debs"
            return
        fi
        log "could not fetch the prompts (${source})" >&2
    done
    rm -rf "${partial}" "${partial}.debs"
    echo "local/data.sh: neither Debian's packages asterisk-core-sounds-en[-g722] (apt-get download)" \
        "nor ${url} could be fetched; get one of them elsewhere, unpack it, and set ASTERISK in" \
        "db.sh to that folder" >&2
    return 1
}

ASTERISK=
if [ -e db.sh ]; then
    # shellcheck source=/dev/null
    . ./db.sh
fi

if [ -n "${ASTERISK}" ]; then
    corpus_dir=${ASTERISK}
    fault=$(corpus_fault "${corpus_dir}")
    if [ -n "${fault}" ]; then
        echo "local/data.sh: db.sh sets ASTERISK=${ASTERISK}: ${fault}" >&2
        exit 1
    fi
else
    corpus_dir=${download_dir}/asterisk
    if [ -n "$(corpus_fault "${corpus_dir}")" ]; then
        rm -rf "${corpus_dir}"
        fetch_corpus "${corpus_dir}"
    fi
fi
log "prompts in ${corpus_dir}"

python3 local/prepare_data.py "${corpus_dir}" "${download_dir}/wav16k" "${data_dir}"
