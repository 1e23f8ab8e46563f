#!/usr/bin/env bash
# Writes data/train, data/dev and data/test from the Common Voice in db.sh. path.sh was sourced by the
# caller; works in the recipe's folder.
set -euo pipefail

sets=train,dev,test
language=en
data_dir=data
nj=$(nproc)
help_message="Usage: local/data.sh [options]

Writes <data_dir>/<set> from <set>.tsv of the Common Voice of db.sh. It can be interrupted and run again.

    --sets train,dev,test any table of clips, such as validated
    --language en         folder in the release
    --data_dir data
    --nj NPROC            files read at once"

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi

COMMONVOICE=
# shellcheck source=/dev/null
. ./db.sh
if [ -z "${COMMONVOICE}" ]; then
    echo "local/data.sh: set COMMONVOICE in db.sh to the folder of a release, such as" \
        "cv-corpus-17.0-2024-03-15; get it at https://commonvoice.mozilla.org/datasets" >&2
    exit 1
fi
for set in ${sets//,/ }; do
    python3 -m espnet_ssr.bin.prepare_corpus commonvoice "${COMMONVOICE}/${language}" "${set}" \
        "${data_dir}/${set}" --nj "${nj}"
done
