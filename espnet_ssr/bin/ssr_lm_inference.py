#!/usr/bin/env python3
"""Stage 10 through the LLM: score a connector by what the LLM makes of its vectors; at once, or as
an array of jobs (--job) and then once with --merge_jobs."""

from pathlib import Path

from espnet_ssr.bin.options import add_part_options, make_inference_parser, parse_inference
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_inference_parser(__doc__)
    parser.add_argument("--seg_dir", type=Path, help="has token_end, for connectors that need it")
    add_part_options(parser)
    parser.add_argument(
        "--merge_jobs", type=int, metavar="NJ", help="merge the results of NJ jobs, run nothing"
    )
    args = parse_inference(parser)
    if args.num_jobs > 1 and args.job is None:
        parser.error(f"--num_jobs {args.num_jobs}: give --job, too")
    if not args.merge_jobs:
        evaluate(args)
    if args.job is None:
        merge(args)


def evaluate(args) -> None:
    """One job, or all at once."""
    from espnet_ssr.evaluate.files import read_token_ids
    from espnet_ssr.evaluate.transcript import load_reader
    from espnet_ssr.evaluate.transcript_jobs import evaluate_job
    from espnet_ssr.jobs import stamp
    from espnet_ssr.task.lm import SSRLMTask

    reader = load_reader(args.train_config, args.model_file, args.device, args.head_conf)
    loader = SSRLMTask.build_test_iterator(reader.args, args.seg_dir, args.feats_scp, args.wav_scp)
    files = [args.reference, args.feats_scp or args.wav_scp]
    if args.seg_dir is not None:
        files += [args.seg_dir / "token_end", *args.seg_dir.glob("pause")]
    evaluate_job(
        reader,
        loader,
        read_token_ids(args.reference),
        files,
        args.output_dir,
        {"model": stamp(args.model_file), "options": vars(reader.args)},
        args.seed,
        args.job or 1,
        args.num_jobs,
        args.shard_size,
    )


def merge(args) -> None:
    """After all jobs."""
    from espnet_ssr.datadir import read_keyed
    from espnet_ssr.evaluate.transcript_jobs import merge_jobs

    num_jobs = args.merge_jobs or args.num_jobs
    result = merge_jobs(args.output_dir, num_jobs, len(read_keyed(args.reference)))
    for kind in ("llm", "continuation", "dictation"):
        for name, row in result.get(kind, {}).items():
            print(f"{kind}, {name}: {', '.join(f'{k} {v:.3f}' for k, v in row.items())}")


if __name__ == "__main__":
    run_command(main)
