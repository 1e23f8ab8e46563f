#!/usr/bin/env python3
"""Turn HellaSwag's text file (hellaswag_*.txt, .bz2 or plain) into plain sentences, one a line."""

import argparse
from pathlib import Path

from espnet_ssr.command import run_command
from espnet_ssr.datadir import write_lines
from espnet_ssr.recipes.sentences import plain_sentences, read_hellaswag


def main() -> None:
    """Parse the arguments, write the sentences, print their number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hellaswag", type=Path, help="six lines an item")
    parser.add_argument("output", type=Path, help="text file for SYNTH_TEXT in db.sh")
    args = parser.parse_args()
    sentences = list(plain_sentences(read_hellaswag(args.hellaswag)))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_lines(args.output, sentences)
    print(f"{args.output}: {len(sentences)} sentences")


if __name__ == "__main__":
    run_command(main)
