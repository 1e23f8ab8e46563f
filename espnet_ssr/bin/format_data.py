#!/usr/bin/env python3
"""Stage 3, one job: audio to mono 16 bit at one rate; unusable utterances are left out."""

from functools import partial

from espnet_ssr.bin.options import add_job_options, make_parser, shard_folder
from espnet_ssr.command import run_command


def main() -> None:
    parser = make_parser(__doc__)
    add_job_options(parser)
    parser.add_argument("--fs", type=int, default=16000, help="sampling rate in Hz")
    parser.add_argument("--audio_format", choices=("flac", "wav"), default="flac")
    parser.add_argument("--min_wav_duration", type=float, default=0.1, help="seconds")
    parser.add_argument("--max_wav_duration", type=float, default=120.0, help="seconds")
    args = parser.parse_args()

    from espnet_ssr.data.format import (
        AudioFormat,
        describe_input,
        format_utterances,
        read_recordings,
    )
    from espnet_ssr.datadir import read_keyed
    from espnet_ssr.shards import run_shards

    keys = read_keyed(args.key_file or args.data_dir / "text")
    recordings = read_recordings(args.data_dir, keys)
    texts = read_keyed(args.data_dir / "text", keys)
    audio_format = AudioFormat(
        args.fs, args.audio_format, args.min_wav_duration, args.max_wav_duration
    )
    run_shards(
        {key: describe_input(recordings.get(key), texts[key]) for key in keys},
        shard_folder(args.output_dir),
        args.job,
        {"audio_format": str(audio_format)},
        partial(format_utterances, recordings=recordings, texts=texts, audio_format=audio_format),
        args.shard_size,
        "formatting",
    )


if __name__ == "__main__":
    run_command(main)
