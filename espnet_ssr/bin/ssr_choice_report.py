#!/usr/bin/env python3
"""Stage 11: tables (RESULTS.md), their figures (RESULTS.json) and a page (report.html, one file) of
what ssr_choice found."""

import sys
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--choice_dir", type=Path, nargs="+", required=True, help="each --output_dir of ssr_choice"
    )
    parser.add_argument("--output_dir", type=Path, help="default: the (first) choice_dir")
    parser.add_argument(
        "--fidelity", type=Path, nargs="*", default=[], help="result.json of stage 10, with bands"
    )
    parser.add_argument("--recipe", help="name in RESULTS.json (default: that of this folder)")
    parser.add_argument("--command", help="what to say that it comes from")
    args = parser.parse_args()

    from espnet_ssr.evaluate.choice.collect import read_runs
    from espnet_ssr.evaluate.choice.page import read_bands, write_page
    from espnet_ssr.evaluate.choice.report import write_report
    from espnet_ssr.evaluate.records import recipe_of

    runs, bands = read_runs(args.choice_dir), read_bands(args.fidelity)
    output_dir = args.output_dir or args.choice_dir[0]
    command = args.command or " ".join(["ssr_choice_report.py", *sys.argv[1:]])
    recipe = args.recipe or recipe_of(Path.cwd())
    write_report(runs, output_dir / "RESULTS.md", command, recipe)
    write_page(runs, output_dir / "report.html", command, bands)
    print(f"{output_dir}/RESULTS.md\n{output_dir}/report.html")


if __name__ == "__main__":
    run_command(main)
