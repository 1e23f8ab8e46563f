#!/usr/bin/env python3
"""Stage 1: a corpus, in its published layout, to the data directories of all its sets."""

import os
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    from espnet_ssr.recipes.ljspeech import prepare_ljspeech
    from espnet_ssr.recipes.speechocean762 import prepare_speechocean762

    corpora = {"ljspeech": prepare_ljspeech, "speechocean762": prepare_speechocean762}
    parser = make_parser(__doc__)
    parser.add_argument("corpus", choices=corpora)
    parser.add_argument("corpus_dir", type=Path, help="where the corpus is")
    parser.add_argument("data_dir", type=Path, help="folder for the sets, which are replaced")
    parser.add_argument("--nj", type=int, default=os.cpu_count(), help="files read at once")
    args = parser.parse_args()
    sets = corpora[args.corpus](args.corpus_dir, args.data_dir, args.nj)
    for name, prepared in sets.items():
        folder = args.data_dir / name
        print(f"{folder}: {prepared.describe()} (see {folder / 'dropped'})")


if __name__ == "__main__":
    run_command(main)
