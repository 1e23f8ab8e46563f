#!/usr/bin/env python3
"""Turn a part of LibriSpeech into a data directory."""

import argparse
import sys
from pathlib import Path

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.librispeech import describe, prepare_librispeech


def main() -> int:
    """Parse the arguments, prepare the corpus, print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus_dir", type=Path, help="folder with LibriSpeech in it, or itself")
    parser.add_argument("part", help="such as train-clean-100")
    parser.add_argument("output_dir", type=Path, help="the data directory")
    args = parser.parse_args()
    try:
        prepared = prepare_librispeech(args.corpus_dir, args.part, args.output_dir)
    except CorpusError as error:
        print(f"prepare_librispeech.py: {error}", file=sys.stderr)
        return 1
    print(f"{args.output_dir}: {describe(prepared)} (see {args.output_dir / 'dropped'})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
