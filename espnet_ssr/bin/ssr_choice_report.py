#!/usr/bin/env python3
"""Stage 11: tables (Markdown) and a page (HTML, one file) of what ssr_choice found."""

import sys
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--choice_dir", type=Path, required=True, help="--output_dir of ssr_choice")
    parser.add_argument("--output", type=Path, help="Markdown (default: choice_dir/RESULTS.md)")
    parser.add_argument("--page", type=Path, help="HTML (default: choice_dir/report.html)")
    parser.add_argument(
        "--fidelity", type=Path, nargs="*", default=[], help="result.json of stage 10, with bands"
    )
    parser.add_argument("--command", help="what to say that it comes from")
    args = parser.parse_args()

    from espnet_ssr.evaluate.choice.collect import read_runs
    from espnet_ssr.evaluate.choice.page import read_bands, write_page
    from espnet_ssr.evaluate.choice.report import write_report

    runs, bands = read_runs(args.choice_dir), read_bands(args.fidelity)
    command = args.command or " ".join(["ssr_choice_report.py", *sys.argv[1:]])
    output = args.output or args.choice_dir / "RESULTS.md"
    page = args.page or args.choice_dir / "report.html"
    write_report(runs, output, command)
    write_page(runs, page, command, bands)
    print(f"{output}\n{page}")


if __name__ == "__main__":
    run_command(main)
