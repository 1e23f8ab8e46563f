#!/usr/bin/env python3
"""One table and one picture of several connectors: figures, parameters, vectors a second, cost of
the training. A row is a connector; what was not trained or not evaluated is named."""

import shlex
import sys
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--row",
        nargs="+",
        action="append",
        required=True,
        metavar=("NAME", "FOLDER"),
        help="a connector and the folders of its trainings, one for each seed",
    )
    parser.add_argument("--inference", default="decode", help="folder of results in each FOLDER")
    parser.add_argument("--baseline", metavar="NAME", help="row that gains are counted from")
    parser.add_argument("--recipe", help="name in the JSON file (default: that of this folder)")
    parser.add_argument("--title", default="Connectors", help="heading of the document")
    parser.add_argument(
        "--output", type=Path, required=True, help="Markdown file; figures go to the same name.json"
    )
    args = parser.parse_args()
    for name, *folders in args.row:
        if not folders:
            parser.error(f"--row {name}: give the folder of a training, too")

    from espnet_ssr.evaluate.compare import Row, compare, write_comparison
    from espnet_ssr.evaluate.records import recipe_of

    rows = [Row(name, tuple(map(Path, folders))) for name, *folders in args.row]
    command = f"python3 -m espnet_ssr.bin.compare_connectors {shlex.join(sys.argv[1:])}"
    comparison = compare(rows, args.inference)
    recipe = args.recipe or recipe_of(Path.cwd())
    write_comparison(comparison, args.output, args.title, command, recipe, args.baseline)
    print(args.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run_command(main)
