# shellcheck shell=bash
# Where the corpus is on this system.
# shellcheck disable=SC2034 # read by local/data.sh

# The folder with LibriSpeech in it (https://www.openslr.org/12), whole or a part of it. Empty:
# local/data.sh fetches the parts that it needs (train-clean-100: 6.4 GB, all: 60 GB).
LIBRISPEECH=
