#!/usr/bin/env python3
"""Turn the Asterisk prompts into data/train, data/valid and data/test."""

import argparse
from pathlib import Path

from espnet_ssr.command import run_command
from espnet_ssr.recipes.asterisk import describe, prepare_asterisk


def main() -> None:
    """Parse the arguments, prepare the corpus, print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus_dir", type=Path, help="folder with the list and .g722 files below")
    parser.add_argument("audio_dir", type=Path, help="folder for decoded 16 kHz wav files")
    parser.add_argument("data_dir", type=Path, help="folder for the data directories")
    args = parser.parse_args()
    print(describe(prepare_asterisk(args.corpus_dir, args.audio_dir, args.data_dir)))
    print(f"what was left out and why: {args.data_dir / 'dropped'}")


if __name__ == "__main__":
    run_command(main)
