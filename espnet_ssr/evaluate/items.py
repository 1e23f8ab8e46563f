"""What the LLM made of each utterance of a test set: a file with a line each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from espnet_ssr.datadir import write_lines

ITEMS = "items.jsonl"
DIGITS = 5  # more are noise, and differ from machine to machine


@dataclass(frozen=True)
class Score:
    """How well ``tokens`` tokens were predicted: the sum of their nats, how many were the
    likeliest, and, where it was measured, the sum of the divergence from what the text alone
    predicts."""

    nats: float
    tokens: int
    correct: int
    divergence: float | None = None


@dataclass(frozen=True)
class Item:
    """An utterance; rows and kinds are those of ``make_items``.

    Attributes:
        seconds: of speech; vectors: their number; tokens: of its transcript.
        other: the utterance whose vectors the row ``other utterance`` has; None: there is none.
        scores: kind -> row -> score of the transcript.
        reference: its transcript; written: kind -> row -> what the LLM wrote.
    """

    utt_id: str
    seconds: float
    vectors: int
    tokens: int
    other: str | None
    scores: dict[str, dict[str, Score]]
    reference: str
    written: dict[str, dict[str, str]]


def write_items(path: Path, items: Iterable[Item]) -> None:
    """One JSON object a line."""
    write_lines(path, (json.dumps(asdict(item), ensure_ascii=False) for item in items))


def read_items(path: Path) -> list[Item]:
    """What ``write_items`` wrote."""
    lines = path.read_text(encoding="utf-8").split("\n")  # splitlines also splits at U+2028
    items = []
    for fields in map(json.loads, filter(None, lines)):
        fields["scores"] = {
            kind: {name: Score(**score) for name, score in rows.items()}
            for kind, rows in fields["scores"].items()
        }
        items.append(Item(**fields))
    return items
