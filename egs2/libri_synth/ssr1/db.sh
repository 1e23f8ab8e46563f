# shellcheck shell=bash
# Where the corpora are on this system.
# shellcheck disable=SC2034 # read by local/data.sh

# The folder with LibriSpeech in it (https://www.openslr.org/12), whole or a part of it.
LIBRISPEECH=

# A text file, one sentence a line, for synthetic speech; local/make_text.py makes one of HellaSwag's.
SYNTH_TEXT=
