#!/usr/bin/env python3
"""Make a data directory of synthetic speech from any text and one voice or several.

The texts are dealt out to the voices in turn. With ``--job J --nj N`` only the part of job J of N
is spoken; without ``--job``, all that is not there yet, and the set is completed.
"""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--text", type=Path, required=True, help="a text on each line")
    parser.add_argument(
        "--voice",
        nargs="+",
        required=True,
        help="folder of a piper voice, Kokoro's folder:name, or 'command: my_tts --some option "
        "{text_file} {wav_file}'",
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="replaced if it is there")
    parser.add_argument("--num", type=int, help="first so many usable texts (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the voices' noise")
    parser.add_argument("--job", type=int, help="number of this job, from 1 (default: all jobs')")
    parser.add_argument("--nj", type=int, default=1, help="number of jobs")
    args = parser.parse_args()
    if args.num is not None and args.num < 1:
        parser.error(f"--num must be 1 or more, not {args.num}")
    if args.job is not None and not 1 <= args.job <= args.nj:
        parser.error(f"--job must be from 1 to --nj {args.nj}, not {args.job}")

    from espnet_ssr.recipes import synth

    texts = synth.read_texts(args.text)
    if args.job is None:
        made = synth.make_synth_set(texts, args.voice, args.output_dir, args.num, args.seed)
        print(f"{args.output_dir}: {made}")
    else:
        plan = synth.make_plan(texts, synth.load_voices(args.voice), args.num)
        synth.speak_part(plan, args.voice, args.output_dir, args.seed, args.job, args.nj)


if __name__ == "__main__":
    run_command(main)
