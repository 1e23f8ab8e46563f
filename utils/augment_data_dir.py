#!/usr/bin/env python3
"""Add copies in noise, babble, rooms, at other speeds; stage 3 makes their audio.

augment_data_dir.py data/train data/train_aug "speed=0.9,1.1 noise=5,20 babble=5,20 room=0.2,0.6"
augment_data_dir.py --originals false data/test data/test_babble10 babble=10
"""

import argparse
from pathlib import Path

from espnet_ssr.command import run_command


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="data directory to read")
    parser.add_argument("output", type=Path, help="data directory to write")
    parser.add_argument(
        "kinds",
        help="what may be done to a copy, each with the lowest and the highest value, or one: "
        "noise (white, pink or speech_shaped, which can also be named), babble (both in dB), room "
        "(time of reverberation in s); speed takes a list",
    )
    parser.add_argument("--copies", type=int, default=1, help="of each utterance (default: 1)")
    parser.add_argument(
        "--probability",
        type=float,
        default=0.5,
        help="of each kind for a copy; if none is drawn it gets one (default: 0.5)",
    )
    parser.add_argument(
        "--originals",
        choices=("true", "false"),
        default="true",
        help="with the utterances themselves; if not, a single copy has its original's name "
        "(default: true)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default: 0)")
    args = parser.parse_args()
    if args.copies < 1:
        parser.error(f"--copies must be 1 or more, not {args.copies}")
    if not 0 <= args.probability <= 1:
        parser.error(f"--probability must be from 0 to 1, not {args.probability}")
    # After the arguments, so that --help does not wait for numpy.
    from espnet_ssr.data.augment import Drawing, augment_data_dir, parse_settings

    settings = parse_settings(args.kinds)
    originals = args.originals == "true"
    drawing = Drawing(settings, args.copies, args.probability, originals, args.seed)
    print(f"{args.output}: {augment_data_dir(args.source, args.output, drawing)} utterances")


if __name__ == "__main__":
    run_command(main)
