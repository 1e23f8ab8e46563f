#!/usr/bin/env python3
"""Split a data directory into sets:  split_data_dir.py data/all data --valid 0.1 --test 0.1

Sets have different speakers where there are ten or more, else different sentences, and are the same
ones every time.
"""

import argparse
from pathlib import Path

from espnet_ssr.command import run_command
from espnet_ssr.datadir import Utterance, read_keyed, write_data_dir
from espnet_ssr.recipes.imports.sets import split_train


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="data directory to read, without segments")
    parser.add_argument("output", type=Path, help="folder for train, valid and test")
    parser.add_argument("--valid", type=float, default=0.1, help="share of the utterances (0.1)")
    parser.add_argument("--test", type=float, default=0.1, help="share of the utterances (0.1)")
    args = parser.parse_args()
    if (args.source / "segments").exists():
        raise ValueError(f"{args.source} has segments: these cannot be split here")
    wav_scp, text, utt2spk = (
        read_keyed(args.source / name) for name in ("wav.scp", "text", "utt2spk")
    )
    utterances = {key: Utterance(wav_scp[key], text[key], utt2spk[key], 0.0) for key in text}
    sets = split_train(utterances, {"valid": args.valid, "test": args.test})
    for name, utt_ids in sets.items():
        write_data_dir(args.output / name, {key: utterances[key] for key in utt_ids})
        print(f"{args.output / name}: {len(utt_ids)} utterances")


if __name__ == "__main__":
    run_command(main)
