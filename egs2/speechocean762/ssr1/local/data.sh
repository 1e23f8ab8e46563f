#!/usr/bin/env bash
# Writes data/train, data/valid and data/test from the speechocean762 of db.sh, or fetches it. path.sh
# was sourced by the caller; works in the recipe's folder.
set -euo pipefail

data_dir=data
download_dir=downloads
url=https://www.openslr.org/resources/101/speechocean762.tar.gz
sha256=
nj=$(nproc)
help_message="Usage: local/data.sh [options]

Writes <data_dir>/{train,valid,test} from speechocean762 (5000 sentences, 250 speakers, CC BY 4.0), which
is in the folder that SPEECHOCEAN762 names in db.sh or else is fetched into <download_dir> (520 MB). It
can be interrupted and run again: downloads go on where they ended.

    --data_dir data
    --download_dir downloads
    --url                 of the archive; another place to get it from
    --sha256              of the archive; OpenSLR gives none: only its own format tells damage
    --nj ${nj}                files that are read at once"

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi

SPEECHOCEAN762=
# shellcheck source=/dev/null
. ./db.sh
if [ -z "${SPEECHOCEAN762}" ]; then
    python3 -m espnet_ssr.bin.download_corpus "${url}" "${download_dir}" \
        ${sha256:+--sha256 "${sha256}"}
    SPEECHOCEAN762=${download_dir}
fi
python3 -m espnet_ssr.bin.prepare_sets speechocean762 "${SPEECHOCEAN762}" "${data_dir}" --nj "${nj}"
