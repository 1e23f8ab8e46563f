# shellcheck shell=bash
# Where the corpus is on this system.
# shellcheck disable=SC2034 # read by local/data.sh

# A folder that holds the Asterisk English core prompts as *.g722 (in any depth) and
# core-sounds-en.txt or core-sounds-en.txt.gz. Empty: local/data.sh fetches them (11 MB).
ASTERISK=
