#!/usr/bin/env bash
# Install the packages that make synthetic speech and fetch the voices, unless they are there.
# Usage: install_voice.sh [PYTHON [CONSTRAINTS]]   with PYTHON of the environment, and CONSTRAINTS a
# file in tools/ (constraints.txt; empty: pip chooses the versions)
set -euo pipefail

python=${1:-python3}
constraints=${2-constraints.txt}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$(dirname "${here}")
if [ ! -e "${tools}/activate_python.sh" ]; then
    echo "install_voice.sh: no environment yet: run 'make -C ${tools}' first" >&2
    exit 1
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
options=(--requirement "${tools}/requirements-voices.txt")
[ -z "${constraints}" ] || options+=(--constraint "${tools}/${constraints}")
"${python}" -m pip install --quiet "${options[@]}"
bash "${here}/install_models.sh" "${python}" voices
