#!/usr/bin/env bash
# Stage 1: make data/{train,valid,test}, each with wav.scp, text, utt2spk and spk2utt, sorted
# (LC_ALL=C), one utterance a line; segments is optional. utils/validate_data_dir.py checks them.
set -euo pipefail

echo "local/data.sh: write the data preparation of your corpus here (egs2/asterisk/ssr1 is an example)" >&2
exit 1
