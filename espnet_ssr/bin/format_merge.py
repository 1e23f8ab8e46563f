#!/usr/bin/env python3
"""Stage 3, after all jobs: a complete data directory, and what was left out by cause."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser, shard_folder
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--data_dir", type=Path, required=True, help="what was formatted")
    parser.add_argument("--output_dir", type=Path, required=True, help="the new data directory")
    parser.add_argument("--nj", type=int, required=True, help="number of jobs that ran")
    parser.add_argument("--fs", type=int, default=16000, help="sampling rate in Hz")
    args = parser.parse_args()

    from espnet_ssr.data.format import complete_data_dir
    from espnet_ssr.shards import merge_shards

    names = ("wav.scp", "utt2num_samples", "dropped")
    merge_shards(shard_folder(args.output_dir), args.nj, names, args.output_dir)
    print(complete_data_dir(args.data_dir, args.output_dir, args.fs))


if __name__ == "__main__":
    run_command(main)
