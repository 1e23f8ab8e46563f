#!/usr/bin/env python3
"""Choose sentences for train, valid and test so that few of them have many different tokens.

Writes train, valid and test (a sentence a line, none in two of them), held_out (words that only the
test has, each with its tokens) and report.json into a folder.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("text", type=Path, nargs="+", help="a sentence a line, natural text")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--llm", required=True, help="whose tokens: folder, name or hub id")
    parser.add_argument("--hours", type=float, default=1.0, help="of speech for train, estimated")
    parser.add_argument("--train", type=int, help="sentences for train, in place of --hours")
    parser.add_argument("--valid", type=int, default=200, help="sentences")
    parser.add_argument("--test", type=int, default=300, help="sentences, half of words held out")
    parser.add_argument("--num_held_out", type=int, default=300, help="words, drawn")
    parser.add_argument("--held_out", type=Path, help="file of such words, not drawn")
    parser.add_argument(
        "--real",
        type=Path,
        nargs="*",
        default=[],
        help="text (Kaldi) of real training speech",
    )
    parser.add_argument(
        "--real_test",
        type=Path,
        nargs="*",
        default=[],
        help="of real test speech",
    )
    parser.add_argument(
        "--report_on", type=Path, nargs="*", default=[], help="texts whose coverage is reported"
    )
    parser.add_argument("--transcript", choices=("natural", "normalized"), default="natural")
    parser.add_argument(
        "--no_prefix_space", action="store_true", help="of tokenizers that add a space themselves"
    )
    args = parser.parse_args()
    for name in ("hours", "train", "valid", "test", "num_held_out"):
        value = getattr(args, name)
        if value is not None and not 0 <= value < math.inf:
            parser.error(f"--{name} must be 0 or more, not {value}")

    from espnet_ssr.datadir import read_keyed, write_lines
    from espnet_ssr.llm.spelling import spoken_tokens
    from espnet_ssr.llm.tokenizer import load_tokenizer
    from espnet_ssr.recipes.synth import read_texts
    from espnet_ssr.recipes.text_sets import (
        Wanted,
        describe,
        make_report,
        make_tokenize,
        select_text_sets,
    )

    tokenizer = load_tokenizer(args.llm)
    tokenize = make_tokenize(tokenizer, args.transcript == "normalized", not args.no_prefix_space)
    sentences = [sentence for path in args.text for sentence in read_texts(path)]
    sets = select_text_sets(
        sentences,
        tokenize,
        spoken_tokens(tokenizer),
        Wanted(args.hours, args.train, args.valid, args.test, args.num_held_out),
        real=[text for path in args.real for text in read_keyed(path).values()],
        real_test=[text for path in args.real_test for text in read_keyed(path).values()],
        held_out_words=args.held_out and [line.split()[0] for line in read_texts(args.held_out)],
    )
    texts = {str(path): read_texts(path) for path in args.report_on}
    texts |= {str(path): list(read_keyed(path).values()) for path in args.real_test}
    report = make_report(sets, tokenize, texts)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    for name, found in sets.sentences.items():
        write_lines(args.output_dir / name, found)
    held_out = (" ".join([word, *map(str, ids)]) for word, ids in sets.held_out.items())
    write_lines(args.output_dir / "held_out", held_out)
    write_lines(args.output_dir / "report.json", [json.dumps(report, indent=2)])
    print(describe(report))


if __name__ == "__main__":
    run_command(main)
