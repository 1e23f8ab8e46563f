#!/usr/bin/env python3
"""Turn a part of LibriSpeech into a data directory."""

import argparse
from pathlib import Path

from espnet_ssr.command import run_command
from espnet_ssr.recipes.librispeech import prepare_librispeech


def main() -> None:
    """Parse the arguments, prepare the corpus, print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus_dir", type=Path, help="folder with LibriSpeech in it, or itself")
    parser.add_argument("part", help="such as train-clean-100")
    parser.add_argument("output_dir", type=Path, help="the data directory")
    args = parser.parse_args()
    prepared = prepare_librispeech(args.corpus_dir, args.part, args.output_dir)
    print(f"{args.output_dir}: {prepared.describe()} (see {args.output_dir / 'dropped'})")


if __name__ == "__main__":
    run_command(main)
