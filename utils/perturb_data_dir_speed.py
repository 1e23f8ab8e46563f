#!/usr/bin/env python3
"""Add copies at other speeds:  perturb_data_dir_speed.py data/train data/train_sp 0.9 1.1"""

import argparse
from pathlib import Path

from espnet_ssr.command import run_command


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="data directory to read")
    parser.add_argument("output", type=Path, help="data directory to write, originals and copies")
    parser.add_argument("factors", nargs="+", metavar="factor", help="speed: 1.1 is faster")
    args = parser.parse_args()
    # After the arguments, so that --help does not wait for numpy.
    from espnet_ssr.data.speed import perturb_data_dir

    total = perturb_data_dir(args.source, args.output, args.factors)
    print(f"{args.output}: {total} utterances")


if __name__ == "__main__":
    run_command(main)
