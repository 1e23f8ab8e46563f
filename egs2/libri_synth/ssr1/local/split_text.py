#!/usr/bin/env python3
"""Write train, valid and test (a sentence a line, none in two of them) from a text file."""

import argparse
from pathlib import Path

from espnet_ssr.command import run_command
from espnet_ssr.datadir import write_lines
from espnet_ssr.recipes.sentences import split_sentences
from espnet_ssr.recipes.synth import read_texts


def main() -> None:
    """Parse the arguments, write the sets, print their sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path, help="a sentence a line")
    parser.add_argument("output_dir", type=Path, help="folder for train, valid and test")
    args = parser.parse_args()
    sets = split_sentences(read_texts(args.text))
    args.output_dir.mkdir(parents=True, exist_ok=True)
    for name, sentences in sets.items():
        write_lines(args.output_dir / name, sentences)
    print(", ".join(f"{len(sentences)} sentences for {name}" for name, sentences in sets.items()))


if __name__ == "__main__":
    run_command(main)
