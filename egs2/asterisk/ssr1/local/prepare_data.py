#!/usr/bin/env python3
"""Turn the Asterisk prompts into data/train, data/valid and data/test."""

import argparse
import sys
from pathlib import Path

from espnet_ssr.recipes.asterisk import CorpusError, describe, prepare_asterisk


def main() -> int:
    """Parse the arguments, prepare the corpus, print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus_dir", type=Path, help="folder with the list and .g722 files below")
    parser.add_argument("audio_dir", type=Path, help="folder for decoded 16 kHz wav files")
    parser.add_argument("data_dir", type=Path, help="folder for the data directories")
    args = parser.parse_args()
    try:
        prepared = prepare_asterisk(args.corpus_dir, args.audio_dir, args.data_dir)
    except CorpusError as error:
        print(f"prepare_data.py: {error}", file=sys.stderr)
        return 1
    print(describe(prepared))
    print(f"what was left out and why: {args.data_dir / 'dropped'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
