#!/usr/bin/env python3
"""Split a file of one line a key into contiguous pieces of equal size, give or take a line."""

import argparse
import itertools
import os
import sys


def split_evenly(lines, num_pieces):
    """Return `num_pieces` contiguous lists of `lines`; the first ones may be longer by one."""
    size, rest = divmod(len(lines), num_pieces)
    bounds = [index * size + min(index, rest) for index in range(num_pieces + 1)]
    return [lines[start:end] for start, end in itertools.pairwise(bounds)]


def write_piece(path, lines):
    """Write lines (bytes, with their ends) under a temporary name and rename it."""
    temporary = f"{path}.tmp.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.writelines(lines)
    os.replace(temporary, path)


def main():
    """Split; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", help="file to split, e.g. data/train/wav.scp")
    parser.add_argument("outputs", nargs="+", metavar="output", help="one file for each piece")
    parser.add_argument("--allow-empty", action="store_true", help="accept fewer lines than pieces")
    args = parser.parse_args()
    try:
        with open(args.input, "rb") as file:
            lines = file.readlines()
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        if len(lines) < len(args.outputs) and not args.allow_empty:
            print(
                f"split_scp.py: {args.input} has {len(lines)} lines, too few for "
                f"{len(args.outputs)} pieces; use fewer jobs (or --allow-empty)",
                file=sys.stderr,
            )
            return 1
        pieces = split_evenly(lines, len(args.outputs))
        for path, piece in zip(args.outputs, pieces, strict=True):
            write_piece(path, piece)
    except OSError as error:
        print(f"split_scp.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
