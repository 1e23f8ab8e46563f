"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser whose ``--help`` shows the module's docstring and every default."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Options of commands that run as an array of jobs."""
    parser.add_argument("--data_dir", type=Path, required=True, help="Kaldi data directory")
    parser.add_argument("--output_dir", type=Path, required=True, help="shards go to its shards/")
    parser.add_argument("--key_file", type=Path, help="only these utterances (first column)")
    parser.add_argument("--job", type=int, default=1, help="number of this job, from 1")
    parser.add_argument("--shard_size", type=int, default=200, help="utterances a shard")


def add_part_options(parser: argparse.ArgumentParser) -> None:
    """Options of an array of jobs that share out the utterances among themselves."""
    parser.add_argument("--job", type=int, help="number of this job, from 1; unset: all in one")
    parser.add_argument("--num_jobs", type=int, default=1, help="of the array")
    parser.add_argument("--shard_size", type=int, default=20, help="utterances a shard")


def add_voice_options(parser: argparse.ArgumentParser) -> None:
    """Options of commands that speak texts, as an array of jobs or alone."""
    parser.add_argument(
        "--voice",
        nargs="+",
        required=True,
        help="folder of a piper voice, Kokoro's folder:name, or 'command: my_tts --some option "
        "{text_file} {wav_file}'",
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="replaced if it is there")
    parser.add_argument("--seed", type=int, default=0, help="of the voices' noise")
    parser.add_argument("--job", type=int, help="number of this job, from 1 (default: all jobs')")
    parser.add_argument("--nj", type=int, default=1, help="number of jobs")


def check_job(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """``--job`` must be one of the jobs."""
    if args.job is not None and not 1 <= args.job <= args.nj:
        parser.error(f"--job must be from 1 to --nj {args.nj}, not {args.job}")


def make_inference_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with what running a model on a test set takes; ``--config FILE`` reads options from
    YAML and refuses unknown ones."""
    from espnet2.utils import config_argparse

    parser = config_argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--model_file", type=Path, required=True, help="checkpoint (*.pth)")
    parser.add_argument("--train_config", type=Path, help="config.yaml, if not beside model_file")
    parser.add_argument(
        "--head_conf",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="of a hull head, other than in training: sharpness, prior_weight, top_k",
    )
    parser.add_argument("--reference", type=Path, required=True, help="token_id of transcripts")
    parser.add_argument("--feats_scp", type=Path, help="extracted features")
    parser.add_argument("--wav_scp", type=Path, help="audio, to be encoded on the fly")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the control rows")
    parser.add_argument("--device", default="cpu", help="torch device")
    return parser


def parse_inference(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line; there must be either features or audio."""
    args = parser.parse_args()
    if (args.feats_scp is None) == (args.wav_scp is None):
        parser.error("give either --feats_scp or --wav_scp")
    if not isinstance(args.head_conf, dict):  # as a file of --config may have it
        args.head_conf = key_values(args.head_conf)
    return args


def shard_folder(output_dir: Path) -> Path:
    return output_dir / "shards"


def key_values(pairs: list[str]) -> dict:
    """``["a=1", "b=x"]`` -> ``{"a": 1, "b": "x"}``, values read as YAML."""
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"expected name=value, got {pair!r}")
        options[name] = yaml.safe_load(value)
    return options
