#!/usr/bin/env bash
# Stage 1: make data/{train,valid,test}, each with wav.scp, text, utt2spk and spk2utt, sorted
# (LC_ALL=C), one utterance a line; segments is optional. utils/validate_data_dir.py checks them.
set -euo pipefail

IMPORT=()
# shellcheck source=/dev/null
. ./db.sh
if [ ${#IMPORT[@]} -eq 0 ]; then
    echo "local/data.sh: say in ${PWD}/db.sh what the corpus is and where (IMPORT), or write its" \
        "preparation into local/data.sh; see ${MAIN_ROOT}/doc/new_corpus.md" >&2
    exit 1
fi
# Options of local/data.sh (--local_data_opts) are those of the import.
python3 -m espnet_ssr.bin.import_corpus "${IMPORT[@]}" --output_dir data "$@"
