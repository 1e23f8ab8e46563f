#!/usr/bin/env python3
"""Make a data directory of synthetic speech from any text and one voice or several.

The texts are dealt out to the voices in turn. With ``--job J --nj N`` only the part of job J of N
is spoken; without ``--job``, all that is not there yet, and the set is completed.
"""

from pathlib import Path

from espnet_ssr.bin.options import add_voice_options, check_job, make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--text", type=Path, required=True, help="a text on each line")
    add_voice_options(parser)
    parser.add_argument("--num", type=int, help="first so many usable texts (default: all)")
    parser.add_argument("--prefix", default="", help="of the utterances' numbers: train-")
    parser.add_argument(
        "--transcript",
        choices=("normalized", "natural"),
        default="normalized",
        help="lower-case words, or the text with its case and punctuation, numbers put into words",
    )
    args = parser.parse_args()
    if args.num is not None and args.num < 1:
        parser.error(f"--num must be 1 or more, not {args.num}")
    check_job(parser, args)

    from espnet_ssr.recipes import synth

    texts = synth.read_texts(args.text)
    natural = args.transcript == "natural"
    if args.job is None:
        made = synth.make_synth_set(
            texts, args.voice, args.output_dir, args.num, args.seed, args.prefix, natural
        )
        print(f"{args.output_dir}: {made}")
    else:
        voices = synth.load_voices(args.voice)
        plan = synth.make_plan(texts, voices, args.num, args.prefix, natural)
        synth.speak_part(plan, args.voice, args.output_dir, args.seed, args.job, args.nj)


if __name__ == "__main__":
    run_command(main)
