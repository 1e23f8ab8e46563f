#!/usr/bin/env bash
# Runs what touches ESPnet with the other release of ESPnet, where a Python for it is on this machine:
# 202611 with Python 3.12 or 3.13 beside 202511 with 3.11, or the other way round. It works in a copy
# of this tree, tools/second_espnet, whose environment stays for the next time.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

copy=tools/second_espnet
free_gb_needed=10 # the only torch for that Python may be a build with CUDA: 6 GB
tests=(test/model test/task test/train
    test/recipe/test_end_to_end.py::test_results_have_the_model_and_its_controls)

say() {
    echo "ci/second_espnet.sh: $*"
}

# find_python VERSION...: print the first such interpreter that runs and can make environments.
# A shim of pyenv is on PATH for versions that are installed but not selected, and does not run.
find_python() {
    local version candidate
    for version in "$@"; do
        for candidate in "python${version}" \
            "${PYENV_ROOT:-${HOME}/.pyenv}/versions/${version}".*/bin/python3; do
            if "${candidate}" -c "import ensurepip, sys
sys.exit('%d.%d' % sys.version_info[:2] != '${version}')" 2> /dev/null; then
                command -v "${candidate}"
                return
            fi
        done
    done
}

# copy_tree: the files of this tree, committed or not, in place of those of the last time.
copy_tree() {
    mkdir -p "${copy}/tools"
    find "${copy}" -mindepth 1 -maxdepth 1 ! -name tools -exec rm -rf {} +
    git ls-files -z --cached --others --exclude-standard \
        | tar --create --null --files-from=- --ignore-failed-read | tar --extract -C "${copy}"
    ln -sfn ../../models "${copy}/tools/models"
}

wanted=(3.12 3.13)
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    wanted=(3.11)
fi
python=$(find_python "${wanted[@]}")
if [ -z "${python}" ]; then
    say "skipped: no Python ${wanted[*]} on PATH or among pyenv's versions"
    exit 0
fi
free_gb=$(df --output=avail -BG . | tail -n 1 | tr -dc 0-9)
if [ ! -e "${copy}/tools/activate_python.sh" ] && [ "${free_gb}" -lt "${free_gb_needed}" ]; then
    say "skipped: ${free_gb} GB of disk free, ${free_gb_needed} needed for one more environment"
    exit 0
fi

say "${python}, in ${copy}"
copy_tree
make --no-print-directory -C "${copy}/tools" PYTHON="${python}" CUDA=any env
# Nothing of the first environment but PATH's end, which path.sh puts this one before.
unset PYTHONPATH SSR_MODELS
cd "${copy}"
# shellcheck source=egs2/TEMPLATE/ssr1/path.sh
. egs2/TEMPLATE/ssr1/path.sh
python3 -c 'import sys; from importlib.metadata import version
print("ci/second_espnet.sh: Python", sys.version.split()[0] + ", ESPnet", version("espnet"))'
python3 -m pytest "${tests[@]}"
