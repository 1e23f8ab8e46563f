#!/usr/bin/env python3
"""Speech for a list of texts, from a cache that is filled with what it lacks.

Numbers, symbols and abbreviations are read out as words. A recogniser hears every new clip; one
that does not say what it should is made again with another seed, or the text is dropped.

With ``--job J --nj N`` only the part of job J of N is put into the cache; without ``--job``, all
that is not there yet, and the data directory is written.
"""

from pathlib import Path

from espnet_ssr.bin.options import add_voice_options, check_job, make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--text", type=Path, required=True, help="lines 'id text'")
    add_voice_options(parser)
    parser.add_argument("--cache_dir", type=Path, required=True, help="can be shared by all tasks")
    parser.add_argument(
        "--all_voices", action="store_true", help="each says all texts (default: one, by the id)"
    )
    parser.add_argument(
        "--recognizer", default="whisper-base", help="Whisper that checks clips; none: no check"
    )
    parser.add_argument("--max_wer", type=float, default=0.2, help="one wrong word may always be")
    parser.add_argument("--tries", type=int, default=3, help="how often a clip is made")
    parser.add_argument("--device", default="cpu", help="of the recognizer")
    args = parser.parse_args()
    if args.tries < 1:
        parser.error(f"--tries must be 1 or more, not {args.tries}")
    check_job(parser, args)

    from espnet_ssr.datadir import read_keyed
    from espnet_ssr.tts import items
    from espnet_ssr.tts.load import load_cache

    recognizer = None if args.recognizer == "none" else args.recognizer
    checks = (recognizer, args.max_wer, args.seed, args.tries, args.device)
    cache = load_cache(args.cache_dir, args.voice, *checks)
    requests = items.choose_voices(read_keyed(args.text), cache, args.all_voices)
    if args.job is not None:
        requests = items.job_requests(requests, args.job, args.nj)
    spoken = items.speak_texts(requests, cache)
    if args.job is None:
        items.write_spoken(spoken, args.output_dir)
    counts = f"made {cache.counts['made']}, found {cache.counts['found']}"
    print(f"{args.output_dir}: {spoken.describe()} ({counts} in {args.cache_dir})")


if __name__ == "__main__":
    run_command(main)
