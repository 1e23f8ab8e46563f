#!/usr/bin/env python3
"""Stage 4 with --aligner given: take alignments that another program made."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--data_dir", type=Path, required=True, help="what they are alignments of")
    parser.add_argument(
        "--given",
        type=Path,
        required=True,
        help="folder of TextGrid or MFA JSON files, or word.ctm",
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="for word.ctm and the like")
    args = parser.parse_args()

    from espnet_ssr.align.given import align_given

    print(align_given(args.data_dir, args.given, args.output_dir))


if __name__ == "__main__":
    run_command(main)
