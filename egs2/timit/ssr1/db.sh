# shellcheck shell=bash
# Where the corpus is on this system.
# shellcheck disable=SC2034 # read by local/data.sh

# The folder of TIMIT (LDC93S1) in which TRAIN and TEST are, or one up to two levels above it.
TIMIT=
