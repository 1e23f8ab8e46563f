#!/usr/bin/env python3
"""Stage 6: extract frame features; as an array of jobs, then once with --merge_jobs."""

from functools import partial

from espnet_ssr.bin.options import add_job_options, key_values, make_parser, shard_folder
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    add_job_options(parser)
    parser.add_argument("--encoder", default="whisper", choices=("whisper", "hf", "tiny"))
    parser.add_argument(
        "--encoder_conf", nargs="*", default=[], metavar="NAME=VALUE", help="encoder's options"
    )
    parser.add_argument("--batch_seconds", type=float, default=60.0, help="padded audio a batch")
    parser.add_argument(
        "--compression_method", type=int, help="of kaldiio (2: 8 bit); unset: float32"
    )
    parser.add_argument("--device", default="cpu", help="torch device")
    parser.add_argument(
        "--merge_jobs", type=int, metavar="NJ", help="merge the results of NJ jobs, encode nothing"
    )
    parser.add_argument("--frame_rate", type=float, help="with --merge_jobs: what it must be")
    args = parser.parse_args()
    if args.merge_jobs:
        merge(args)
    else:
        encode(args)


def encode(args) -> None:
    """One job."""
    from espnet_ssr.conf import build_from_conf
    from espnet_ssr.datadir import read_keyed, write_lines
    from espnet_ssr.encoder import ENCODERS
    from espnet_ssr.encoder.dump import dump_utterances
    from espnet_ssr.shards import run_shards

    conf = key_values(args.encoder_conf)
    keys = read_keyed(args.key_file or args.data_dir / "wav.scp")
    wav_scp = read_keyed(args.data_dir / "wav.scp", keys)
    encoder = build_from_conf(ENCODERS[args.encoder], conf, "encoder_conf").to(args.device)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    if args.job == 1:  # jobs that write the same file at a time would get in each other's way
        write_lines(args.output_dir / "feats_dim", [str(encoder.output_size())])
        write_lines(args.output_dir / "frame_rate", [f"{encoder.frame_rate:g}"])
    work = partial(
        dump_utterances,
        encoder=encoder,
        wav_scp=wav_scp,
        batch_seconds=args.batch_seconds,
        compression_method=args.compression_method,
        device=args.device,
    )
    settings = {"encoder": args.encoder, "compression": args.compression_method, **conf}
    run_shards(
        {key: wav_scp[key] for key in keys},
        shard_folder(args.output_dir),
        args.job,
        settings,
        work,
        args.shard_size,
        "encoding",
    )


def merge(args) -> None:
    """After all jobs."""
    from espnet_ssr.datadir import read_keyed
    from espnet_ssr.encoder.dump import real_time_factor
    from espnet_ssr.shards import merge_shards

    files = ("feats.scp", "utt2num_frames", "cost")
    merge_shards(shard_folder(args.output_dir), args.merge_jobs, files, args.output_dir)
    frame_rate = float((args.output_dir / "frame_rate").read_text())
    if args.frame_rate and args.frame_rate != frame_rate:
        raise ValueError(
            f"the encoder gives {frame_rate:g} frames a second, not {args.frame_rate:g}: run stage "
            f"5 again with --frame_rate {frame_rate:g}"
        )
    frames = sum(map(int, read_keyed(args.output_dir / "utt2num_frames").values()))
    factor = real_time_factor(args.output_dir / "cost")
    print(f"{args.output_dir}: {frames} frames, real-time factor {factor:.4f} a job")


if __name__ == "__main__":
    run_command(main)
