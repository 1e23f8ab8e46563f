# shellcheck shell=bash
# What is mixed in. All of it may stay empty: then real speech is that of the Asterisk prompts alone.
# shellcheck disable=SC2034 # read by local/data.sh

# The folder with LibriSpeech in it (https://www.openslr.org/12), whole or a part of it.
LIBRISPEECH=${LIBRISPEECH:-} # or in the environment

# The Asterisk prompts, as in egs2/asterisk/ssr1/db.sh; empty: they are fetched (11 MB).
ASTERISK=

# Folders of a.wav (flac, mp3, ogg) with a.txt beside it, in folders by speaker.
WAV_TXT=()

# Text files, a sentence a line, beside WordNet and the fortunes.
TEXT=()
