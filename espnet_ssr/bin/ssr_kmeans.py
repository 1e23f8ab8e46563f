#!/usr/bin/env python3
"""Stage 4: k-means units of frame features, for the UnitY2 aligner."""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--feats_scp", type=Path, required=True, help="extracted features")
    parser.add_argument("--num_units", type=int, default=500, help="clusters")
    parser.add_argument("--max_frames", type=int, default=200_000, help="frames to cluster")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and the clusters")
    parser.add_argument("--output", type=Path, required=True, help="centroids (K, D), .npy")
    args = parser.parse_args()

    from espnet_ssr.align.kmeans import sample_frames, train_units, write_centroids

    frames = sample_frames(args.feats_scp, args.max_frames, args.seed)
    units = train_units(frames, args.num_units, args.seed)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_centroids(args.output, units.centroids)
    print(
        f"{args.output}: {args.num_units} units of {len(frames)} frames, inertia "
        f"{units.inertia:.3f} a frame, {100 * units.unused:.1f} % of the units unused"
    )


if __name__ == "__main__":
    run_command(main)
