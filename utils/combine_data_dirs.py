#!/usr/bin/env python3
"""Make one data directory of several:  combine_data_dirs.py data/train_all data/a data/b"""

import argparse
from pathlib import Path

from espnet_ssr.command import run_command
from espnet_ssr.datadir import combine_data_dirs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="data directory to write")
    parser.add_argument("sources", type=Path, nargs="+", help="data directories to read")
    args = parser.parse_args()
    print(f"{args.output}: {combine_data_dirs(args.sources, args.output)} utterances")


if __name__ == "__main__":
    run_command(main)
