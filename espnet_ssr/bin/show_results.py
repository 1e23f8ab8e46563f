#!/usr/bin/env python3
"""A table, or a picture of hours of training against figures, from RESULTS.json files."""

import sys
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--results",
        type=Path,
        nargs="+",
        default=[],
        help="RESULTS.json files; hours are in the models' names (hull 3h), or figures",
    )
    parser.add_argument(
        "--at",
        nargs="+",
        action="append",
        default=[],
        metavar=("HOURS", "FILE"),
        help="RESULTS.json files of models that were trained on so many hours",
    )
    parser.add_argument(
        "--panel", nargs="+", metavar="SET:FIGURE", help="write a picture with these panels"
    )
    parser.add_argument("--output", type=Path, help="PNG file to write, with --panel")
    parser.add_argument("--title", default="", help="of the picture")
    parser.add_argument("--set", help="print the table of this set")
    parser.add_argument("--figures", nargs="+", help="columns of the table")
    parser.add_argument(
        "--models", nargs="+", default=[], help="only these, in a picture without their hours"
    )
    parser.add_argument(
        "--levels", nargs="+", default=[], help="models that are dashed lines in the picture"
    )
    args = parser.parse_args()
    if not (args.results or args.at):
        parser.error("give --results or --at")
    if (args.panel is None) == (args.set is None):
        parser.error("give --set and --figures for a table, or --panel and --output for a picture")
    if args.panel is not None and args.output is None:
        parser.error("--panel: give --output, too")
    if args.set is not None and not args.figures:
        parser.error("--set: give --figures, too")

    from espnet_ssr.evaluate.figures import column_of, figures_table
    from espnet_ssr.evaluate.records import check_names, read_records
    from espnet_ssr.evaluate.scaling import draw_scaling, parse_panel

    records = [(None, record) for record in read_records(args.results)]
    for hours, *files in args.at:
        try:
            trained_on = float(hours)
        except ValueError:
            parser.error(f"--at {hours}: not a number of hours")
        records += [(trained_on, record) for record in read_records(map(Path, files))]
    if args.panel is None:
        for figure in args.figures:
            column_of(figure)
        check_names("set", [args.set], (record.set for _, record in records))
        shown = [record for _, record in records if record.set == args.set]
        check_names("model", args.models, (record.model for record in shown))
        rows = {model: [model] for model in args.models} or None
        sys.stdout.write(figures_table(shown, args.figures, rows))
    else:
        panels = [parse_panel(text) for text in args.panel]
        draw_scaling(args.output, records, panels, args.models, args.levels, args.title)
        print(args.output)


if __name__ == "__main__":
    run_command(main)
