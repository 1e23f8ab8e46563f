#!/usr/bin/env bash
# Installs the Montreal Forced Aligner (MIT license) into tools/mfa with micromamba, mamba or conda.
# Usage: install_mfa.sh [VERSION]    the newest without VERSION
set -euo pipefail

version=${1:-}
prefix=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)/mfa
package=montreal-forced-aligner${version:+=${version}}

die() {
    echo "install_mfa.sh: error: $*" >&2
    exit 1
}

# installed_version: print the version of what is in tools/mfa, fail if it does not work.
installed_version() {
    [ -x "${prefix}/bin/mfa" ] && "${prefix}/bin/mfa" version 2>/dev/null
}

if found=$(installed_version) && [ "${found}" = "${version:-${found}}" ]; then
    echo "MFA ${found} is already in ${prefix}"
    exit 0
fi
manager=
for name in conda mamba micromamba; do
    if command -v "${name}" >/dev/null; then manager=${name}; fi
done
[ -n "${manager}" ] || die "no micromamba, mamba or conda on PATH. MFA needs Kaldi's libraries, which" \
    "pip does not install: install one of the three (micromamba is a single file) and run this again"

# A conda environment cannot be moved, so what an interrupted run left goes first.
rm -rf "${prefix}"
echo "Installing ${package} into ${prefix} with ${manager}"
"${manager}" create --yes --prefix "${prefix}" --override-channels --channel conda-forge "${package}" \
    || { rm -rf "${prefix}"; die "${manager} could not install ${package}, see above. It needs the" \
        "channel conda-forge: behind a firewall, set a proxy or a mirror in ~/.condarc and run this" \
        "again, or install MFA on your own and set MFA to the program"; }
found=$(installed_version) || die "${prefix}/bin/mfa does not run: delete ${prefix} and try again"
echo "MFA ${found} is in ${prefix}. Models, for example English:
    ${prefix}/bin/mfa model download acoustic english_us_arpa
    ${prefix}/bin/mfa model download dictionary english_us_arpa"
