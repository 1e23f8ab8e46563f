"""What a model makes of an item: how likely it finds each candidate, and which it chooses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.choice.cost import Cost
from espnet_ssr.evaluate.choice.item import Item, Parts
from espnet_ssr.speech_lm.score import Score

NORMALISATIONS = ("none", "token", "character")
"""What the likelihood of a candidate is divided by; lm-evaluation-harness calls the first ``acc``
and the last ``acc_norm``."""

TIE = 1e-4
"""Nats: what batches change in a likelihood. Candidates that differ by less are equally likely."""


class Candidate(NamedTuple):
    """Attributes:
    nats: negative log-likelihood of all its tokens.
    tokens: that were scored, of speech without a transcript those that were heard.
    characters: of its text, without the space that it begins with.
    """

    nats: float
    tokens: int
    characters: int


@dataclass(frozen=True)
class Answer:
    """To one item; ``cost``: of hearing what is spoken of it, None: not known."""

    item_id: str
    group: str
    answer: int
    candidates: tuple[Candidate, ...]
    cost: Cost | None = None

    def chosen(self, normalisation: str) -> list[int]:
        """The likeliest candidate, or several if they are equally likely."""
        units = np.array([_units(c, normalisation) for c in self.candidates])
        values = np.array([c.nats for c in self.candidates]) / units
        return np.flatnonzero(values <= values.min() + TIE / units).tolist()

    def credit(self, normalisation: str) -> float:
        """1 if the right one alone is chosen, 0 if it is not, a share if it is among several, as if
        one of them were drawn."""
        chosen = self.chosen(normalisation)
        return 1 / len(chosen) if self.answer in chosen else 0.0


def _units(candidate: Candidate, normalisation: str) -> int:
    return {"none": 1, "token": candidate.tokens, "character": candidate.characters}[normalisation]


def make_answer(item: Item, scores: Sequence[Score], cost: Cost | None = None) -> Answer:
    """Of the scores of an item's candidates, and what hearing the item cost."""
    candidates = [
        Candidate(-score.log_likelihood, score.num_tokens, count_characters(parts))
        for parts, score in zip(item.candidates, scores, strict=True)
    ]
    return Answer(item.item_id, item.group, item.answer, tuple(candidates), cost)


def count_characters(parts: Parts) -> int:
    """At least 1, so that one may divide by it."""
    return max(len("".join(part.text for part in parts).strip()), 1)


def write_answers(path: Path, answers: Iterable[Answer]) -> None:
    """A JSON object a line, with what is chosen for people to look at."""
    write_lines(
        path,
        (
            json.dumps(
                {
                    **asdict(answer),
                    "candidates": [c._asdict() for c in answer.candidates],
                    "cost": answer.cost and answer.cost._asdict(),
                    "chosen": {name: answer.chosen(name) for name in NORMALISATIONS},
                },
                ensure_ascii=False,
            )
            for answer in answers
        ),
    )


def read_answers(path: Path) -> list[Answer]:
    """What ``write_answers`` wrote.

    Raises:
        ValueError: names the file and line of something else.
    """
    found = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                candidates = tuple(Candidate(**candidate) for candidate in row["candidates"])
                cost = row.get("cost")  # answers of before it was measured have none
                cost = cost and Cost(**cost)
                found.append(Answer(row["item_id"], row["group"], row["answer"], candidates, cost))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}:{number}: not an answer ({error!r})") from None
    return found
