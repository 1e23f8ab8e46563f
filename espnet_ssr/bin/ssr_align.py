#!/usr/bin/env python3
"""Stage 4, one job: align transcripts with audio. ``ssr_align_report`` merges the jobs."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

from espnet_ssr.bin.options import add_job_options, key_values, make_parser, shard_folder
from espnet_ssr.command import run_command


def main() -> None:
    from espnet_ssr.align import ALIGNERS, aligner_factory
    from espnet_ssr.align.run import align_utterances
    from espnet_ssr.conf import build_from_conf
    from espnet_ssr.datadir import read_keyed
    from espnet_ssr.shards import run_shards

    parser = make_parser(__doc__)
    add_job_options(parser)
    parser.add_argument("--aligner", choices=sorted(ALIGNERS), default="hmm")
    parser.add_argument(
        "--aligner_conf", nargs="*", default=[], metavar="NAME=VALUE", help="aligner's options"
    )
    parser.add_argument(
        "--feats_scp", type=Path, help="features, for aligners that take them instead of audio"
    )
    parser.add_argument(
        "--textless", choices=("true", "false"), default="false", help="align the aligner's guess"
    )
    parser.add_argument("--batch_seconds", type=float, default=60.0, help="padded audio a batch")
    args = parser.parse_args()

    conf = key_values(args.aligner_conf)
    factory = aligner_factory(args.aligner)
    aligner = build_from_conf(factory, conf, "aligner_conf")
    textless = args.textless == "true"
    if textless and not aligner.textless:
        raise ValueError(f"--textless true: {args.aligner} needs transcripts")
    if aligner.input == "feats" and args.feats_scp is None:
        raise ValueError(f"{args.aligner} takes features: give --feats_scp")
    source = args.feats_scp if aligner.input == "feats" else args.data_dir / "wav.scp"
    keys = read_keyed(args.key_file or args.data_dir / "wav.scp")
    signals = read_keyed(source, keys)
    texts = None if textless else read_keyed(args.data_dir / "text", keys)
    unknown = sorted(keys.keys() - texts.keys()) if texts is not None else []
    if unknown:
        raise ValueError(f"{args.key_file or args.data_dir}: no transcript of {unknown[0]}")
    run_shards(
        {key: f"{signals.get(key)} {texts[key] if texts else None}" for key in keys},
        shard_folder(args.output_dir),
        args.job,
        {
            "aligner": args.aligner,
            **default_options(factory),
            **conf,
            "files": modification_times(conf),
        },
        partial(
            align_utterances,
            aligner=aligner,
            signals=signals,
            texts=texts,
            num_samples=read_keyed(args.data_dir / "utt2num_samples", keys),
            batch_seconds=args.batch_seconds,
        ),
        args.shard_size,
        "aligning",
    )


def default_options(factory: Callable) -> dict:
    """Of an aligner: shards made with former defaults are made again."""
    parameters = inspect.signature(factory).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def modification_times(conf: dict) -> list[int]:
    """Of the files among an aligner's options: a checkpoint that was trained again is another."""
    files = (Path(str(value)) for value in conf.values())
    return [path.stat().st_mtime_ns for path in files if path.is_file()]


if __name__ == "__main__":
    run_command(main)
