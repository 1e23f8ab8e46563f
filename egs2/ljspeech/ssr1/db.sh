# shellcheck shell=bash
# Where the corpus is on this system.
# shellcheck disable=SC2034 # read by local/data.sh

# LJSpeech-1.1, or the folder that it is in. Empty: local/data.sh fetches it (2.7 GB).
LJSPEECH=
