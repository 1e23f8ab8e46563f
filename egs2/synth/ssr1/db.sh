# shellcheck shell=bash
# What is spoken, and by whom.
# shellcheck disable=SC2034 # read by local/data.sh

# Any text, a sentence a line; or prose, with --local_data_opts "--prose true".
SYNTH_TEXT=${SYNTH_TEXT:-}

# Voices, each quoted: folder of a piper voice, Kokoro's folder:name, or 'command: my_tts {text_file}
# {wav_file}'. Empty: the piper voice joe, which is installed then and tells the true times of words.
SYNTH_VOICES=()
# Voices of the test set alone. Empty: the same ones.
SYNTH_TEST_VOICES=()
