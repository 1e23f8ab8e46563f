# shellcheck shell=bash
# Where the corpus is on this system.
# shellcheck disable=SC2034 # read by local/data.sh

# speechocean762 (https://www.openslr.org/101), or the folder that it is in. Empty: local/data.sh
# fetches it (520 MB).
SPEECHOCEAN762=
