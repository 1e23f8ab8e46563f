#!/usr/bin/env python3
"""Turn TIMIT into data/train, data/dev, data/test and data/test_full."""

import argparse
import sys
from pathlib import Path

from espnet_ssr.recipes.timit import CorpusError, describe, prepare_timit


def main() -> int:
    """Parse the arguments, prepare the corpus, print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus_dir", type=Path, help="folder with TRAIN and TEST in or below it")
    parser.add_argument("data_dir", type=Path, help="folder for the data directories")
    args = parser.parse_args()
    try:
        prepared = prepare_timit(args.corpus_dir, args.data_dir)
    except CorpusError as error:
        print(f"prepare_data.py: {error}", file=sys.stderr)
        return 1
    print(describe(prepared))
    print(f"what was left out and why: {args.data_dir / 'dropped'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
