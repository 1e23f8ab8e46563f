#!/usr/bin/env python3
"""Stage 4, one job: align transcripts with audio. ``ssr_align_report`` merges the jobs."""

from functools import partial

from espnet_ssr.bin.options import add_job_options, key_values, make_parser, shard_folder
from espnet_ssr.command import run_command


def main() -> None:
    from espnet_ssr.align import ALIGNERS, aligner_class
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
    args = parser.parse_args()

    conf = key_values(args.aligner_conf)
    wav_scp, texts = (read_keyed(args.data_dir / name) for name in ("wav.scp", "text"))
    keys = read_keyed(args.key_file or args.data_dir / "wav.scp")
    aligner = build_from_conf(aligner_class(args.aligner), conf, "aligner_conf")
    run_shards(
        {key: f"{wav_scp[key]} {texts[key]}" for key in keys},
        shard_folder(args.output_dir),
        args.job,
        {"aligner": args.aligner, **conf},
        partial(align_utterances, aligner=aligner, wav_scp=wav_scp, texts=texts),
        args.shard_size,
        "aligning",
    )


if __name__ == "__main__":
    run_command(main)
