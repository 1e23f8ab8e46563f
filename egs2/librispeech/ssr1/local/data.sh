#!/usr/bin/env bash
# Writes the data directories of LibriSpeech that are asked for. path.sh was sourced by the caller;
# works in the recipe's folder.
set -euo pipefail

train_set=train_clean_100
eval_sets=dev,test_clean,test_other
split_part=
corpus_dir=
download_dir=downloads
data_dir=data
nj=$(nproc)
mirror=https://www.openslr.org/resources/12
help_message="Usage: local/data.sh [options]

Writes <data_dir>/<set> from the LibriSpeech of db.sh; if that names none, the parts that are needed are
fetched into <download_dir>. It can be interrupted and run again.

    --train_set train_clean_100, --eval_sets dev,test_clean,test_other
                          parts, with _ for -, or train_460, train_960, dev, which are several of them
    --split_part PART     write <data_dir>/{train,valid,test} instead, from the speakers of one part
    --corpus_dir FOLDER   in place of LIBRISPEECH in db.sh
    --download_dir downloads, --data_dir data
    --nj NPROC            files read at once
    --mirror URL          folder with train-clean-100.tar.gz and so on, if not OpenSLR's; file:///...
                          will do"

# https://www.openslr.org/resources/12/md5sum.txt
declare -A md5=(
    [dev-clean]=42e2234ba48799c1f50f24a7926300a1
    [dev-other]=c8d0bcc9cca99d4f8b62fcc847357931
    [test-clean]=32fa31d27d2e1cad72775fee3f4849a9
    [test-other]=fb5a50374b501bb3bac4815ee91d3135
    [train-clean-100]=2a93770f6d5c6c964bc36631d331a522
    [train-clean-360]=c0e676e450a7ff2f54aeade5171606fa
    [train-other-500]=d1a0fd59409feb2c614ce4d30c387708
)

. parse_options.sh
if [ $# -ne 0 ]; then
    echo "local/data.sh: unexpected argument: $1" >&2
    exit 1
fi

LIBRISPEECH=
# shellcheck source=/dev/null
. ./db.sh
corpus_dir=${corpus_dir:-${LIBRISPEECH}}

# parts_of SET: the parts that a set is made of.
parts_of() {
    case $1 in
        train_460) echo train-clean-100 train-clean-360 ;;
        train_960) echo train-clean-100 train-clean-360 train-other-500 ;;
        dev) echo dev-clean dev-other ;;
        *) echo "${1//_/-}" ;;
    esac
}

# prepare PART: write the data directory of a part, after fetching it if there is no corpus_dir.
prepare() {
    if [ -z "${corpus_dir}" ]; then
        if [ -z "${md5[$1]-}" ]; then
            echo "local/data.sh: no part $1 in LibriSpeech, only ${!md5[*]}" >&2
            exit 1
        fi
        python3 -m espnet_ssr.bin.download_corpus "${mirror}/$1.tar.gz" "${download_dir}" --md5 "${md5[$1]}"
    fi
    python3 -m espnet_ssr.bin.prepare_corpus librispeech "${corpus_dir:-${download_dir}}" "$1" \
        "${data_dir}/${1//-/_}" --nj "${nj}"
}

if [ -n "${split_part}" ]; then
    prepare "${split_part}"
    split_data_dir.py "${data_dir}/${split_part//-/_}" "${data_dir}"
    exit
fi
for set in ${train_set} ${eval_sets//,/ }; do
    dirs=()
    for part in $(parts_of "${set}"); do
        prepare "${part}"
        dirs+=("${data_dir}/${part//-/_}")
    done
    if [ ${#dirs[@]} -gt 1 ]; then combine_data_dirs.py "${data_dir}/${set}" "${dirs[@]}"; fi
done
