#!/usr/bin/env python3
"""Stage 4, copies at other speeds: their alignments are those of their originals, rescaled."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--data_dir", type=Path, required=True, help="has copies, formatted")
    parser.add_argument("--original_dir", type=Path, required=True, help="has their originals")
    parser.add_argument(
        "--original_align_dir", type=Path, required=True, help="alignments of the originals"
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="for word.ctm and the like")
    args = parser.parse_args()

    from espnet_ssr.data.copies import rescale_align_dir

    rescale_align_dir(args.data_dir, args.original_dir, args.original_align_dir, args.output_dir)


if __name__ == "__main__":
    run_command(main)
