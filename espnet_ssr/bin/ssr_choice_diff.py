#!/usr/bin/env python3
"""Compare two files of answers (<mode>.jsonl of ssr_choice) item by item: the accuracy that the
second has in advance with its paired bootstrap interval, McNemar's test, and the items on which
they choose differently."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--normalisation", default="token", choices=("none", "token", "character"))
    parser.add_argument("--by_group", action="store_true", help="mean of groups, not of items")
    parser.add_argument("--show", type=int, default=20, help="so many of the items that differ")
    args = parser.parse_args()

    from espnet_ssr.evaluate.choice.answer import read_answers
    from espnet_ssr.evaluate.choice.statistics import changed_items, compare

    first, second = read_answers(args.first), read_answers(args.second)
    found = compare(first, second, args.normalisation, args.by_group)
    value, (low, high) = found.difference
    print(f"{found.items} items of both, {found.only_first} and {found.only_second} of one only")
    print(f"accuracy {found.first:.2%} and {found.second:.2%}")
    print(f"difference {100 * value:+.2f} points, 95 % {100 * low:+.2f} to {100 * high:+.2f}")
    print(f"lost {found.lost}, gained {found.gained}, McNemar p = {found.p_value:.3g}")
    changed = changed_items(first, second, args.normalisation)
    for item_id, group, before, after in changed[: args.show]:
        print(f"{item_id}\t{group}\t{before} -> {after}")
    if len(changed) > args.show:
        print(f"... and {len(changed) - args.show} more")


if __name__ == "__main__":
    run_command(main)
