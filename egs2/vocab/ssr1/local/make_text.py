#!/usr/bin/env python3
"""Write the sentences that can be spoken: of WordNet, of fortunes and of text files, one a line."""

from collections import Counter
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command
from espnet_ssr.datadir import count_dropped, write_lines
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.phrases import (
    fortune_phrases,
    name_persons,
    natural_phrases,
    read_names,
    wordnet_phrases,
)
from espnet_ssr.recipes.synth import read_texts


def main() -> None:
    """Parse the arguments, write the sentences, print their number and what was left out."""
    parser = make_parser(__doc__)
    parser.add_argument("output", type=Path, help="text file to write")
    parser.add_argument("--wordnet", type=Path, help="folder with WordNet's data.noun and others")
    parser.add_argument("--fortunes", type=Path, help="folder with files of fortunes")
    parser.add_argument("--names", type=Path, help="file of given names, one a line")
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="a sentence a line")
    args = parser.parse_args()
    sources = [(path, read_texts(path)) for path in args.text]
    if args.fortunes:
        sources.append((args.fortunes, fortune_phrases(args.fortunes)))
    if args.wordnet:
        sources.append((args.wordnet, wordnet_phrases(args.wordnet)))
    phrases, found = [], Counter()
    for source, some in sources:
        before = len(phrases)
        phrases.extend(some)
        found[source] = len(phrases) - before
    sentences, dropped = natural_phrases(phrases)
    if not sentences:
        names = (
            ", ".join(str(source) for source, _ in sources) or "no --wordnet, --fortunes, --text"
        )
        raise CorpusError(f"{names}: no usable sentence; {count_dropped(dropped.elements())}")
    if args.names:
        sentences = name_persons(sentences, read_names(args.names))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_lines(args.output, sentences)
    read = ", ".join(f"{number} of {source}" for source, number in found.items())
    print(
        f"{args.output}: {len(sentences)} sentences ({read}; {count_dropped(dropped.elements())})"
    )


if __name__ == "__main__":
    run_command(main)
