#!/usr/bin/env python3
"""Make a data directory of synthetic speech with true word times, from any text and a voice."""

import time
from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--text", type=Path, required=True, help="a text on each line")
    parser.add_argument("--voice", type=Path, required=True, help="folder of a piper voice")
    parser.add_argument("--output_dir", type=Path, required=True, help="replaced if it is there")
    parser.add_argument("--num", type=int, help="first so many usable texts (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the voice's noise")
    args = parser.parse_args()
    if args.num is not None and args.num < 1:
        parser.error(f"--num must be 1 or more, not {args.num}")

    from espnet_ssr.recipes.synth import make_synth_set, read_texts

    texts = read_texts(args.text)
    start = time.perf_counter()
    made = make_synth_set(texts, args.voice, args.output_dir, args.num, args.seed)
    factor = (time.perf_counter() - start) / made.seconds
    print(f"{args.output_dir}: {made.describe()}, real-time factor {factor:.3f}")


if __name__ == "__main__":
    run_command(main)
