#!/usr/bin/env python3
"""Write train, valid and test (a sentence a line, none in two of them) from a text file."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("text", type=Path, help="a sentence a line, or prose")
    parser.add_argument("output_dir", type=Path, help="folder for train, valid and test")
    parser.add_argument(
        "--prose",
        action="store_true",
        help="running text: cut it into sentences and put numbers and abbreviations into words",
    )
    args = parser.parse_args()

    from espnet_ssr.datadir import count_dropped, write_lines
    from espnet_ssr.recipes.sentences import prose_sentences, split_sentences
    from espnet_ssr.recipes.synth import read_texts

    sentences = read_texts(args.text)
    if args.prose:
        sentences, dropped = prose_sentences("\n".join(sentences))
        print(f"{args.text}: {len(sentences)} sentences, {count_dropped(dropped.elements())}")
    sets = split_sentences(sentences)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    for name, found in sets.items():
        write_lines(args.output_dir / name, found)
    print(", ".join(f"{len(found)} sentences for {name}" for name, found in sets.items()))


if __name__ == "__main__":
    run_command(main)
