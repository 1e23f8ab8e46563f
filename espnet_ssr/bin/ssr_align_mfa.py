#!/usr/bin/env python3
"""Stage 4 with --aligner mfa: align with the Montreal Forced Aligner; see scripts/mfa.sh."""

import shlex
from pathlib import Path

from espnet_ssr.bin.options import key_values, make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--data_dir", type=Path, required=True, help="Kaldi data directory")
    parser.add_argument("--output_dir", type=Path, required=True, help="for word.ctm and the like")
    parser.add_argument("--nj", type=int, default=1, help="jobs of MFA")
    parser.add_argument("--mfa", default="mfa", help="how MFA is called, quoted as for a shell")
    parser.add_argument(
        "--mfa_options",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="dictionary, acoustic_model, g2p_model, train, config_path, beam, retry_beam, "
        "single_speaker: see MFAOptions in espnet_ssr/align/mfa.py; one string or several",
    )
    args = parser.parse_args()

    from espnet_ssr.align.mfa import MFAOptions, align_mfa
    from espnet_ssr.conf import build_from_conf

    conf = key_values(shlex.split(" ".join(args.mfa_options)))
    options = build_from_conf(MFAOptions, conf, "mfa_options")
    print(align_mfa(args.data_dir, args.output_dir, options, shlex.split(args.mfa), args.nj))


if __name__ == "__main__":
    run_command(main)
