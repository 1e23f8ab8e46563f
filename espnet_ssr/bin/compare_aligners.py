#!/usr/bin/env python3
"""One table of several aligners, each run and reported on the same sets: coverage, word boundary
errors, real-time factors."""

import shlex
import sys
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--data_dir", type=Path, nargs="+", required=True, help="sets that were aligned"
    )
    parser.add_argument(
        "--aligner", nargs="+", required=True, help="rows: <name> of <data_dir>/align_<name>"
    )
    parser.add_argument(
        "--reference",
        help="true words: a CTM file, or a folder with word.ctm in it; {set} stands for the name "
        "of each data_dir; default: data/{set}/word.ctm where there is one",
    )
    parser.add_argument("--pool", metavar="TITLE", help="one table of all sets instead of one each")
    parser.add_argument("--title", default="Aligners", help="heading of the document")
    parser.add_argument("--output", type=Path, required=True, help="Markdown file to write")
    args = parser.parse_args()

    from espnet_ssr.align.compare import compare_sets, find_sets, write_comparisons

    sets = find_sets(args.data_dir, args.reference)
    groups = {args.pool: sets} if args.pool else {str(s.data_dir): [s] for s in sets}
    comparisons = [compare_sets(title, group, args.aligner) for title, group in groups.items()]
    command = f"python3 -m espnet_ssr.bin.compare_aligners {shlex.join(sys.argv[1:])}"
    write_comparisons(comparisons, args.output, args.title, command)
    print(args.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run_command(main)
