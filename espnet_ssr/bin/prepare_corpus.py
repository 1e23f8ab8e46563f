#!/usr/bin/env python3
"""Stage 1: a part of a corpus, in its published layout, to a Kaldi data directory."""

import os
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    from espnet_ssr.recipes.commonvoice import prepare_commonvoice
    from espnet_ssr.recipes.librispeech import prepare_librispeech
    from espnet_ssr.recipes.mls import prepare_mls

    corpora = {
        "commonvoice": prepare_commonvoice,
        "librispeech": prepare_librispeech,
        "mls": prepare_mls,
    }
    parser = make_parser(__doc__)
    parser.add_argument("corpus", choices=corpora)
    parser.add_argument("corpus_dir", type=Path, help="where the corpus is")
    parser.add_argument("part", help="in the corpus's own words, such as train-clean-100")
    parser.add_argument("output_dir", type=Path, help="the data directory; replaced")
    parser.add_argument("--nj", type=int, default=os.cpu_count(), help="files read at once, if any")
    args = parser.parse_args()
    # No file of MLS is read.
    options = {} if args.corpus == "mls" else {"nj": args.nj}
    prepared = corpora[args.corpus](args.corpus_dir, args.part, args.output_dir, **options)
    print(f"{args.output_dir}: {prepared.describe()} (see {args.output_dir / 'dropped'})")


if __name__ == "__main__":
    run_command(main)
