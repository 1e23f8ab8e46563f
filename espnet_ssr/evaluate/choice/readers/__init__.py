"""Benchmarks as they are distributed, each read into records. A reader is a function of a path and
of what counts the questions that it leaves out; questions come in the order of the files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from espnet_ssr.evaluate.choice.readers.blimp import read_blimp
from espnet_ssr.evaluate.choice.readers.hellaswag import read_hellaswag
from espnet_ssr.evaluate.choice.readers.mmlu import read_mmlu
from espnet_ssr.evaluate.choice.readers.record import Record, Skipped
from espnet_ssr.evaluate.choice.readers.storycloze import read_storycloze, read_topic_storycloze
from espnet_ssr.evaluate.choice.readers.zerospeech import read_sblimp, read_swuggy

READERS: dict[str, Callable[[Path, Skipped], Iterable[Record]]] = {
    "blimp": read_blimp,
    "hellaswag": read_hellaswag,
    "mmlu": read_mmlu,
    "sblimp": read_sblimp,
    "storycloze": read_storycloze,
    "swuggy": read_swuggy,
    "topic_storycloze": read_topic_storycloze,
}
"""Name in ``tasks.yaml`` -> reader."""
