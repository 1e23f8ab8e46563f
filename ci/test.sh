#!/usr/bin/env bash
# Sets up the environment and the models if need be, then runs every check. Arguments go to pytest;
# with any, the tests are run with one ESPnet only.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

# shellcheck source=egs2/TEMPLATE/ssr1/path.sh
. egs2/TEMPLATE/ssr1/path.sh

echo "ci/test.sh: ruff"
ruff check .
ruff format --check .
echo "ci/test.sh: shellcheck"
# -print0: names may hold anything
git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck -x
if [ $# -gt 0 ]; then
    echo "ci/test.sh: pytest $*"
    exec python3 -m pytest "$@"
fi
echo "ci/test.sh: pytest"
make --no-print-directory -C tools import # else their tests would be skipped
python3 -m pytest
ci/second_espnet.sh
