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
