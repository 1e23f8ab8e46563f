# shellcheck shell=bash
# Where the corpus is on this system.
# shellcheck disable=SC2034 # read by local/data.sh

# The folder of a release of Common Voice, with a folder for each language, such as
# cv-corpus-17.0-2024-03-15. It cannot be fetched without an account: see README.md.
COMMONVOICE=
