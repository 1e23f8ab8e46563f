# shellcheck shell=bash
# Sourced by path.sh: the programs of "make -C tools fast-voices".
export PATH=${MAIN_ROOT}/tools/fast_voices/bin:${PATH}
