#!/usr/bin/env bash
# Finds the Montreal Forced Aligner and aligns a data directory with it. Usage:
#     scripts/mfa.sh --data_dir DIR --output_dir DIR [--nj N] [--mfa_options "name=value ..."]
# $MFA says how to call it where it is in none of the usual places, e.g. MFA="conda run -n tts mfa".
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/../../../.." && pwd)
# shellcheck source=../path.sh
. "${root}/egs2/TEMPLATE/ssr1/path.sh"

# find_mfa: print how to call MFA.
find_mfa() {
    local program manager environment
    if [ -n "${MFA:-}" ]; then
        echo "${MFA}"
        return
    fi
    for program in "$(command -v mfa)" "${root}/tools/mfa/bin/mfa"; do
        if [ -x "${program}" ]; then
            printf '%q\n' "${program}"
            return
        fi
    done
    for manager in micromamba mamba conda; do
        command -v "${manager}" >/dev/null || continue
        for environment in mfa aligner; do
            if "${manager}" run -n "${environment}" mfa version >/dev/null 2>&1; then
                echo "${manager} run -n ${environment} mfa"
                return
            fi
        done
    done
    echo "${0##*/}: error: no MFA on PATH, in tools/mfa or in a conda environment 'mfa' or" \
        "'aligner': run tools/installers/install_mfa.sh, or set MFA" >&2
    return 1
}

mfa=$(find_mfa)
exec python3 -m espnet_ssr.bin.ssr_align_mfa --mfa "${mfa}" "$@"
