#!/usr/bin/env python3
"""Stage 11: collect all results below expdir into RESULTS.json and one RESULTS.md with plots."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--expdir", type=Path, required=True, help="holds distill_*/ and lm_*/")
    parser.add_argument(
        "--output", type=Path, required=True, help="Markdown file; figures go to the same name.json"
    )
    parser.add_argument("--recipe", help="name in RESULTS.json (default: that of this folder)")
    parser.add_argument("--command", default="", help="the command to record")
    args = parser.parse_args()

    from espnet_ssr.evaluate.records import recipe_of
    from espnet_ssr.evaluate.report import write_results

    recipe = args.recipe or recipe_of(Path.cwd())
    write_results(args.expdir, args.output, args.command, recipe)
    print(args.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run_command(main)
