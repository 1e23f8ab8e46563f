#!/usr/bin/env bash
# A connector for the whole vocabulary: text chosen by token coverage, fast voices, real speech. Options
# are those of ssr.sh (./run.sh --help) and override what is set here, and two of this recipe's own:
#   --hours 3             training speech in all, real speech included
#   --transcript natural  or normalized: lower-case words without punctuation
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

hours=3
transcript=natural
llm=SmolLM2-135M-Instruct-q4_1
local_data_opts=
options=()
while [ $# -gt 0 ]; do
    case $1 in
        --hours | --transcript | --llm | --local_data_opts | --local-data-opts)
            if [ $# -eq 1 ]; then
                echo "run.sh: $1: no value" >&2
                exit 1
            fi
            name=${1#--}
            printf -v "${name//-/_}" %s "$2"
            shift
            ;;
        --hours=* | --transcript=* | --llm=* | --local_data_opts=* | --local-data-opts=*)
            name=${1%%=*}
            name=${name#--}
            printf -v "${name//-/_}" %s "${1#*=}"
            ;;
        *) options+=("$1") ;;
    esac
    shift
done
suffix=
if [ "${transcript}" != natural ]; then suffix=_${transcript}; fi
tests="test_voices${suffix} asterisk_test${suffix}"
LIBRISPEECH=${LIBRISPEECH:-}
# shellcheck source=db.sh
. ./db.sh
if [ -n "${LIBRISPEECH}" ]; then tests+=" libri_unheard${suffix}"; fi
if [[ ${LIBRISPEECH} == *[[:space:]]* ]]; then
    echo "run.sh: LIBRISPEECH=${LIBRISPEECH}: a link without spaces in its name, please" >&2
    exit 1
fi

./ssr.sh \
    --train_set "train_${hours}h${suffix}" \
    --valid_set "valid${suffix}" \
    --test_sets "${tests}" \
    --expdir "exp/${hours}h${suffix}" \
    --llm "${llm}" \
    --augment "speed=0.9,1.1 noise=5,20 babble=5,20 room=0.2,0.6" \
    --distill_config conf/tuning/distill_ssr_hull.yaml \
    --local_data_opts "--hours ${hours} --transcript ${transcript} --llm ${llm}${LIBRISPEECH:+ --librispeech ${LIBRISPEECH}} ${local_data_opts}" \
    "${options[@]}"
