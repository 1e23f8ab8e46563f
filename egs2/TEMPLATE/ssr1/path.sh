# shellcheck shell=bash
# Sourced by every script of a recipe: environment, PATH, where models are.
# The file behind the link is asked for, so the caller's working directory does not matter.
MAIN_ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.." && pwd)
export MAIN_ROOT

if [ ! -e "${MAIN_ROOT}/tools/activate_python.sh" ]; then
    echo "path.sh: setting up the Python environment and the models first (a few minutes)"
    make -C "${MAIN_ROOT}/tools" || exit 1
fi
# shellcheck source=/dev/null
. "${MAIN_ROOT}/tools/activate_python.sh"

export PATH="${MAIN_ROOT}/utils:${PATH}"
export PYTHONPATH="${MAIN_ROOT}${PYTHONPATH:+:${PYTHONPATH}}"
# Folders below it can be named in configurations without their path.
export SSR_MODELS=${SSR_MODELS:-${MAIN_ROOT}/tools/models}
export PYTHONIOENCODING=UTF-8
export LC_ALL=C.UTF-8
# numba's and tokenizers' threads multiply with the jobs of a stage.
export TOKENIZERS_PARALLELISM=false
# Threads that wait by spinning slow training down many times where cores are shared (measured: 25
# times beside one busy process on 2 cores); waiting passively costs nothing measurable otherwise.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}

if [ -f local/path.sh ]; then
    # shellcheck source=/dev/null
    . local/path.sh
fi
