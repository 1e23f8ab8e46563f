# shellcheck shell=bash
# Where the corpus is on this system.
# shellcheck disable=SC2034 # read by local/data.sh

# The folder with mls_english or mls_english_opus in it, or one of these
# (https://www.openslr.org/94). Empty: local/data.sh fetches it (2.4 TB as flac, 0.65 TB as opus).
MLS=
