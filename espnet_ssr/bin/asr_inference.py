#!/usr/bin/env python3
"""Stage 10: transcribe a data directory with Whisper, as a cascade would; as an array of jobs, then
once with --merge_jobs, which scores the transcripts."""

from functools import partial

from espnet_ssr.bin.options import add_job_options, make_parser, shard_folder
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    add_job_options(parser)
    parser.add_argument(
        "--model", default="whisper-tiny.en", help="folder, name below $SSR_MODELS, or hub id"
    )
    parser.add_argument("--language", help="of the speech, for a multilingual model")
    parser.add_argument("--device", default="cpu", help="torch device")
    parser.add_argument(
        "--merge_jobs", type=int, metavar="NJ", help="merge the results of NJ jobs and score them"
    )
    args = parser.parse_args()
    if args.merge_jobs:
        merge(args)
    else:
        transcribe(args)


def transcribe(args) -> None:
    """One job."""
    from espnet_ssr.datadir import read_keyed
    from espnet_ssr.evaluate.asr import WhisperTranscriber, transcribe_shard
    from espnet_ssr.shards import run_shards

    keys = read_keyed(args.key_file or args.data_dir / "wav.scp")
    wav_scp = read_keyed(args.data_dir / "wav.scp", keys)
    work = partial(
        transcribe_shard,
        transcriber=WhisperTranscriber(args.model, args.device, language=args.language),
        wav_scp=wav_scp,
    )
    run_shards(
        {key: wav_scp[key] for key in keys},
        shard_folder(args.output_dir),
        args.job,
        {"model": args.model, "language": args.language},
        work,
        args.shard_size,
        "transcribing",
    )


def merge(args) -> None:
    """After all jobs."""
    from espnet_ssr.datadir import read_keyed
    from espnet_ssr.evaluate.asr import score_texts
    from espnet_ssr.evaluate.files import write_result
    from espnet_ssr.shards import merge_shards

    merge_shards(shard_folder(args.output_dir), args.merge_jobs, ("text",), args.output_dir)
    texts = read_keyed(args.output_dir / "text")
    figures = score_texts(texts, read_keyed(args.data_dir / "text"))
    write_result(args.output_dir, {"asr": figures, "model": args.model})
    print(f"{args.output_dir}: WER {figures['wer']:.3f}, CER {figures['cer']:.3f}")


if __name__ == "__main__":
    run_command(main)
