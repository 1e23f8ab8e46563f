#!/usr/bin/env bash
# Writes the data directories of MLS English that are asked for. path.sh was sourced by the caller;
# works in the recipe's folder.
set -euo pipefail

sets=train,dev,test
download_dir=downloads
data_dir=data
archive=mls_english
mirror=https://dl.fbaipublicfiles.com/mls
help_message="Usage: local/data.sh [options]

Writes <data_dir>/<set> from the MLS of db.sh; if that names none, it is fetched into <download_dir>. It can
be interrupted and run again. No audio is opened: stage 3 does that and says what is damaged.

    --sets train,dev,test also train_9hr and train_1hr, the corpus's own small training sets
    --archive mls_english what to fetch: this (flac, 2.4 TB) or mls_english_opus (0.65 TB); there must be
                          room for twice as much, as the archive is removed after it is unpacked
    --download_dir downloads, --data_dir data
    --mirror URL          folder with the archive, if not that of OpenSLR's page; file:///... will do"

# As https://dl.fbaipublicfiles.com/mls/md5sum.txt is quoted elsewhere; that file itself was not at hand.
declare -A md5=(
    [mls_english]=9d4249911e318c2b8dcfcfecb484d865
    [mls_english_opus]=60390221eec6f456611563b37f0b052c
)

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi
if [ -z "${md5[${archive}]-}" ]; then
    echo "local/data.sh: --archive must be one of: ${!md5[*]}" >&2
    exit 1
fi

MLS=
# shellcheck source=/dev/null
. ./db.sh
if [ -z "${MLS}" ]; then
    python3 -m espnet_ssr.bin.download_corpus "${mirror}/${archive}.tar.gz" "${download_dir}" \
        --md5 "${md5[${archive}]}"
    MLS=${download_dir}/${archive}
fi
for set in ${sets//,/ }; do
    python3 -m espnet_ssr.bin.prepare_corpus mls "${MLS}" "${set}" "${data_dir}/${set}"
done
