#!/usr/bin/env bash
# Writes data/train, data/dev, data/test and data/test_full from the TIMIT in db.sh. path.sh was
# sourced by the caller; works in the recipe's folder.
set -euo pipefail

data_dir=data
help_message="Usage: local/data.sh [--data_dir data]

Writes <data_dir>/{train,dev,test,test_full}, each with the true times in word.ctm and phone.ctm, and
<data_dir>/dropped from TIMIT (LDC93S1), which lies in the folder that TIMIT names in db.sh."

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi

TIMIT=
# shellcheck source=/dev/null
. ./db.sh
if [ -z "${TIMIT}" ]; then
    echo "local/data.sh: set TIMIT in db.sh to the folder of LDC93S1 (in which TRAIN and TEST are);" \
        "it is not free: https://catalog.ldc.upenn.edu/LDC93S1" >&2
    exit 1
fi

python3 local/prepare_data.py "${TIMIT}" "${data_dir}"
