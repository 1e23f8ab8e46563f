#!/usr/bin/env bash
# Writes data/tr_no_dev, data/dev and data/eval1 from the LJ Speech of db.sh, or fetches it. path.sh was
# sourced by the caller; works in the recipe's folder.
set -euo pipefail

data_dir=data
download_dir=downloads
url=https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2
sha256=be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5
nj=$(nproc)
help_message="Usage: local/data.sh [options]

Writes <data_dir>/{tr_no_dev,dev,eval1} from LJ Speech 1.1 (24 hours, one speaker, public domain), which is
in the folder that LJSPEECH names in db.sh or else is fetched into <download_dir> (2.7 GB, 3.8 GB
unpacked). It can be interrupted and run again: downloads go on where they ended.

    --data_dir data
    --download_dir downloads
    --url, --sha256       of the archive; another place to get it from
    --nj ${nj}                files that are read at once"

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi

LJSPEECH=
# shellcheck source=/dev/null
. ./db.sh
if [ -z "${LJSPEECH}" ]; then
    python3 -m espnet_ssr.bin.download_corpus "${url}" "${download_dir}" --sha256 "${sha256}"
    LJSPEECH=${download_dir}
fi
python3 -m espnet_ssr.bin.prepare_sets ljspeech "${LJSPEECH}" "${data_dir}" --nj "${nj}"
