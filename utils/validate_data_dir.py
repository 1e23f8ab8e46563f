#!/usr/bin/env python3
"""Check a Kaldi data directory: every problem with its file, line, utterance and way out.

Exits 1 if there is any. PYTHONPATH must lead to espnet_ssr (path.sh sees to it).
"""

import argparse
import sys
from pathlib import Path


def parse_arguments():
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path, help="folder of wav.scp text utt2spk spk2utt ...")
    parser.add_argument("--fs", type=int, default=16000, help="sampling rate wanted, Hz")
    parser.add_argument("--no-text", action="store_true", help="want no file text")
    parser.add_argument("--no-audio", action="store_true", help="do not open the audio")
    parser.add_argument("--max-problems", type=int, default=20, metavar="N", help="print so many")
    parser.add_argument("--nj", type=int, default=1, metavar="N", help="open so many files at once")
    args = parser.parse_args()
    if args.nj < 1:
        parser.error(f"--nj must be 1 or more, not {args.nj}")
    if not args.data_dir.is_dir():
        parser.error(f"{args.data_dir}: no such folder")
    return args


def main():
    """Check, print the problems and a summary; returns the exit status."""
    args = parse_arguments()
    # After the arguments, so that --help does not wait for soundfile.
    from espnet_ssr.data.validate import inspect_data_dir

    inspection = inspect_data_dir(
        args.data_dir, args.fs, not args.no_text, not args.no_audio, args.nj
    )
    problems = inspection.problems
    for problem in problems[: args.max_problems]:
        print(problem)
    if len(problems) > args.max_problems:
        print(f"... and {len(problems) - args.max_problems} more")
    utt2spk = inspection.tables["utt2spk"]
    speakers = {row.value for row in utt2spk.values()}
    hours = sum(inspection.durations.values()) / 3600
    amount = "audio not opened" if args.no_audio else f"{hours:.2f} hours"
    print(
        f"{args.data_dir}: {len(utt2spk)} utterances, {amount}, {len(speakers)} speakers, "
        f"{len(problems)} problems"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
