#!/usr/bin/env python3
"""Turn TIMIT into data/train, data/dev, data/test and data/test_full."""

import argparse
from pathlib import Path

from espnet_ssr.command import run_command
from espnet_ssr.recipes.timit import describe, prepare_timit


def main() -> None:
    """Parse the arguments, prepare the corpus, print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus_dir", type=Path, help="folder with TRAIN and TEST in or below it")
    parser.add_argument("data_dir", type=Path, help="folder for the data directories")
    args = parser.parse_args()
    print(describe(prepare_timit(args.corpus_dir, args.data_dir)))
    print(f"what was left out and why: {args.data_dir / 'dropped'}")


if __name__ == "__main__":
    run_command(main)
