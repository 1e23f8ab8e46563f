#!/usr/bin/env bash
# Makes the folder of a new recipe:  egs2/TEMPLATE/ssr1/setup.sh egs2/mycorpus/ssr1
# What all recipes share is linked, what a recipe decides itself is copied. Files that are there
# are kept, so it can be run again after the template has grown.
set -euo pipefail

if [ $# -ne 1 ] || [[ $1 == -* ]]; then
    echo "Usage: $0 FOLDER    e.g. $0 egs2/mycorpus/ssr1"
    exit $(($# == 1 ? 0 : 1))
fi
template=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
folder=$1
mkdir -p "${folder}/conf/tuning" "${folder}/local"

for name in ssr.sh path.sh cmd.sh; do
    [ -e "${folder}/${name}" ] || ln -s "$(realpath --relative-to="${folder}" "${template}/${name}")" "${folder}/${name}"
done
(cd "${template}" && find run.sh db.sh conf local ! -type d) | while read -r name; do
    [ -e "${folder}/${name}" ] || cp -P "${template}/${name}" "${folder}/${name}"
done

cat <<EOF
${folder} is ready. Next:
  1. say in ${folder}/db.sh what the corpus is and where: one line, e.g.
     IMPORT=(wav_txt /corpora/mycorpus)      a.wav with a.txt beside it, in folders by speaker
     (also: audiofolder, hf_dataset, lhotse; for other formats, write ${folder}/local/data.sh)
  2. run ${folder}/run.sh
$(realpath --relative-to="${PWD}" "${template}/../../../doc/new_corpus.md") has more.
EOF
