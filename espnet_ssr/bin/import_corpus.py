#!/usr/bin/env python3
"""Make data/train, data/valid and data/test of a corpus that somebody has prepared.

Parts that it has (train, validation, test) are kept; sets that it lacks are taken from train, whole
speakers where there are ten or more. What is left out is counted, and listed in <set>/dropped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_ssr.command import run_command

if TYPE_CHECKING:
    from espnet_ssr.recipes.imports.sets import Parts


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="import_corpus",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    formats = parser.add_subparsers(dest="format", metavar="FORMAT", required=True)
    add_wav_txt(formats)
    add_audiofolder(formats)
    add_hf_dataset(formats)
    add_lhotse(formats)
    args = parser.parse_args()
    for name in ("valid", "test"):
        if not 0 <= getattr(args, name) < 1:
            parser.error(f"--{name} is a share, from 0 to less than 1, not {getattr(args, name)}")
    from espnet_ssr.recipes.imports.sets import write_parts

    shares = {"valid": args.valid, "test": args.test}
    parts = args.read(args)
    if args.set:
        if len(parts) > 1:
            parser.error(f"--set {args.set}: the corpus has parts of its own: {', '.join(parts)}")
        parts, shares = {args.set: next(iter(parts.values()))}, {}
    print(write_parts(parts, args.source, args.output_dir, shares))


def add_format(
    formats: argparse._SubParsersAction, name: str, title: str
) -> argparse.ArgumentParser:
    """A parser with the options of all formats."""
    parser = formats.add_parser(
        name,
        help=title,
        description=title,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--output_dir", type=Path, default=Path("data"), help="folder of the sets")
    parser.add_argument("--valid", type=float, default=0.05, help="share of valid in train")
    parser.add_argument("--test", type=float, default=0.05, help="share of test in train")
    parser.add_argument("--set", help="all of it is this set, and no set is taken from it")
    return parser


def add_wav_txt(formats: argparse._SubParsersAction) -> None:
    parser = add_format(
        formats, "wav_txt", "a folder of a.wav (flac, mp3, ogg) with a.txt beside it"
    )
    parser.add_argument("source", type=Path, help="the folder; quote a name that has spaces")
    parser.add_argument(
        "--speaker",
        choices=("folder", "none"),
        default="folder",
        help="folder: each folder in the source is a speaker's; none: speakers are not known",
    )

    def read(args: argparse.Namespace) -> Parts:
        from espnet_ssr.recipes.imports.wav_txt import import_wav_txt

        return {"train": import_wav_txt(args.source, args.speaker)}

    parser.set_defaults(read=read)


def add_table(
    formats: argparse._SubParsersAction, name: str, title: str
) -> argparse.ArgumentParser:
    """A parser with the options of formats that have tables."""
    parser = add_format(formats, name, title)
    parser.add_argument("source", type=Path, help="the folder; quote a name that has spaces")
    parser.add_argument("--text_column", help="if it is none of the usual: text, sentence, ...")
    parser.add_argument("--speaker_column", help="if it is none of the usual: speaker_id, ...")
    return parser


def add_audiofolder(formats: argparse._SubParsersAction) -> None:
    title = "a folder with metadata.csv or metadata.jsonl: file_name, text, speaker"
    parser = add_table(formats, "audiofolder", title)

    def read(args: argparse.Namespace) -> Parts:
        from espnet_ssr.recipes.imports.metadata import import_audiofolder

        return import_audiofolder(args.source, args.text_column, args.speaker_column)

    parser.set_defaults(read=read)


def add_hf_dataset(formats: argparse._SubParsersAction) -> None:
    title = "a Hugging Face dataset: what save_to_disk wrote, or parquet files"
    parser = add_table(formats, "hf_dataset", title)

    def read(args: argparse.Namespace) -> Parts:
        from espnet_ssr.recipes.imports.hf_dataset import import_hf_dataset

        audio_dir = args.output_dir / "audio"
        return import_hf_dataset(args.source, audio_dir, args.text_column, args.speaker_column)

    parser.set_defaults(read=read)


def add_lhotse(formats: argparse._SubParsersAction) -> None:
    title = "manifests of lhotse: cuts.jsonl.gz, or recordings.jsonl.gz supervisions.jsonl.gz"
    parser = add_format(formats, "lhotse", title)
    parser.add_argument("source", type=Path, nargs="+", help="the manifests of one set")
    parser.add_argument("--root", type=Path, default=Path(), help="where relative paths begin")

    def read(args: argparse.Namespace) -> Parts:
        from espnet_ssr.recipes.imports.lhotse_manifests import import_lhotse

        return {"train": import_lhotse(args.source, args.root)}

    parser.set_defaults(read=read)


if __name__ == "__main__":
    run_command(main)
