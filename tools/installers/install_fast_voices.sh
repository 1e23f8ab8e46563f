#!/usr/bin/env bash
# Fetch the voices of espeak-ng and flite, WordNet, the fortunes and given names, unless the system has
# them: Debian's packages, unpacked without root into tools/fast_voices, which is whole or not there.
#
#   bin/espeak-ng, bin/flite     the programs, with the libraries and the data that they need
#   text/wordnet, text/fortunes  folders of text
#   text/names.gz                given names, one a line
#
# Usage: install_fast_voices.sh [USE_SYSTEM]   with 0: fetch also what the system has
set -euo pipefail

use_system=${1:-1}
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${tools}/fast_voices
partial=${target}.tmp
programs=(espeak-ng flite)
# A package, the name below text/ and where the package has it.
texts=("wordnet-base wordnet usr/share/wordnet" "fortunes fortunes usr/share/games/fortunes"
    "miscfiles names.gz usr/share/dict/propernames.gz")

fail() {
    echo "install_fast_voices.sh: $*" >&2
    exit 1
}

if [ -e "${target}/bin" ]; then exit 0; fi
rm -rf "${partial}"
mkdir -p "${partial}"/{bin,text,unpacked,debs}
trap 'rm -rf "${partial}"' EXIT

wanted=()
for program in "${programs[@]}"; do
    if [ "${use_system}" = 1 ] && found=$(command -v "${program}"); then
        ln -s "${found}" "${partial}/bin/${program}"
    else
        wanted+=("${program}")
    fi
done
for text in "${texts[@]}"; do
    read -r package name path <<<"${text}"
    if [ "${use_system}" = 1 ] && [ -e "/${path}" ]; then
        ln -s "/${path}" "${partial}/text/${name}"
    else
        wanted+=("${package}")
        ln -s "../unpacked/${path}" "${partial}/text/${name}"
    fi
done

apt=(-o APT::Sandbox::User=root) # or root's apt-get warns that another user cannot write here

# missing_packages: print what is wanted and the libraries that it depends on, less what is installed.
missing_packages() {
    local package
    apt-cache "${apt[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances "${wanted[@]}" 2>/dev/null | grep -o '^[a-z0-9][a-z0-9.+-]*$' |
        sort -u | while read -r package; do
        # Debian's own programs need the libraries of C.
        if [[ ${package} =~ ^(libc6|libgcc-.*|gcc-.*)$ ]]; then continue; fi
        if [[ " ${wanted[*]} " == *" ${package} "* ]] ||
            ! dpkg-query -W -f '${db:Status-Status}' "${package}" 2>/dev/null | grep -qx installed; then
            echo "${package}"
        fi
    done
}

# download: fetch the packages into debs.
download() {
    local packages
    read -r -d '' -a packages < <(missing_packages) || true
    [ ${#packages[@]} -ge ${#wanted[@]} ] &&
        (cd "${partial}/debs" && apt-get -qq "${apt[@]}" download "${packages[@]}")
}

if [ ${#wanted[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        fail "no apt-get here to fetch ${wanted[*]}: install these with the system's package manager"
    fi
    if ! download 2>/dev/null; then
        # The package lists may be missing or old: fetch them into a folder of our own.
        state=${partial}/state
        mkdir -p "${state}"/{lists/partial,cache/archives/partial}
        apt+=(-o "Dir::State=${state}" -o "Dir::Cache=${state}/cache"
            -o Dir::State::status=/var/lib/dpkg/status)
        if ! { apt-get -qq "${apt[@]}" update && download; }; then
            fail "apt-get could not fetch ${wanted[*]}: see the lines above; is there a network?"
        fi
    fi
    for package in "${partial}"/debs/*.deb; do
        dpkg -x "${package}" "${partial}/unpacked" || fail "${package##*/} could not be unpacked: is the disk full?"
    done
fi
rm -rf "${partial}/debs" "${partial}/state"

# The programs need the libraries and the data beside them.
library_path=$(find "${partial}/unpacked" -name 'lib*.so*' -printf '%h\n' | sort -u | paste -sd :)
espeak_data=$(find "${partial}/unpacked" -path '*/lib/*' -name espeak-ng-data -printf '%h')
for program in "${programs[@]}"; do
    if [ -L "${partial}/bin/${program}" ]; then continue; fi
    {
        echo '#!/bin/sh'
        echo "export LD_LIBRARY_PATH='${library_path//${partial}/${target}}'\${LD_LIBRARY_PATH:+:\${LD_LIBRARY_PATH}}"
        [ -z "${espeak_data}" ] || echo "export ESPEAK_DATA_PATH='${espeak_data/${partial}/${target}}'"
        echo "exec '${target}/unpacked/usr/bin/${program}' \"\$@\""
    } >"${partial}/bin/${program}"
    chmod +x "${partial}/bin/${program}"
done

mv "${partial}" "${target}"

# speaks FILE COMMAND...: whether the command writes FILE.
speaks() {
    local file=$1
    "${@:2}" && [ -s "${file}" ] && rm "${file}"
}
# Whether they speak is known only where they will lie.
echo hello >"${target}/hello"
speech=${target}/hello.wav
if ! speaks "${speech}" "${target}/bin/espeak-ng" -v en-us -f "${target}/hello" -w "${speech}" ||
    ! speaks "${speech}" "${target}/bin/flite" -voice kal16 -f "${target}/hello" -o "${speech}"; then
    rm -rf "${target}"
    fail "espeak-ng or flite does not speak: see the lines above"
fi
rm "${target}/hello"
echo "${target}: espeak-ng, flite, WordNet, fortunes and names are there"
