#!/usr/bin/env bash
# Sets up the environment and the models if need be, then runs every check. Arguments go to pytest.
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
echo "ci/test.sh: pytest"
python3 -m pytest "$@"
