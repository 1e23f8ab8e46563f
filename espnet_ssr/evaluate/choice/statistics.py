"""Accuracies with intervals, and whether two models differ on the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import NamedTuple

import numpy as np

from espnet_ssr.evaluate.bootstrap import bootstrap_interval
from espnet_ssr.evaluate.choice.answer import NORMALISATIONS, Answer


class Figure(NamedTuple):
    """A mean, and its 95 % interval by the bootstrap."""

    value: float
    interval: list[float]


@dataclass(frozen=True)
class Difference:
    """Of two models, the second less the first, on the items that both answered.

    Attributes:
        items: so many.
        only_first, only_second: items that the other one did not answer.
        first, second: accuracies.
        difference: with the interval of the paired bootstrap.
        lost, gained: items on which the second one is worse, and better.
        p_value: of McNemar's exact test (two-sided): so uneven a split of ``lost`` and ``gained``
            or a more uneven one, if both were as likely.
    """

    items: int
    only_first: int
    only_second: int
    first: float
    second: float
    difference: Figure
    lost: int
    gained: int
    p_value: float


def summarize(answers: Sequence[Answer], by_group: bool = False, seed: int = 0) -> dict:
    """Figures of a mode; there is an answer at least.

    Args:
        by_group: the mean of groups, not of all items.

    Returns:
        ``items``; ``chance``, of who draws one of the candidates; ``accuracy``: for each
        normalisation ``value`` and ``interval``; ``groups``: of each its ``items`` and accuracies.
    """
    chance = [1 / len(answer.candidates) for answer in answers]
    credits = {n: [answer.credit(n) for answer in answers] for n in NORMALISATIONS}
    groups = {
        group: {"items": len(rows), **{n: _mean(credits[n], rows) for n in NORMALISATIONS}}
        for group, rows in _rows_of_groups(answers).items()
    }
    return {
        "items": len(answers),
        "chance": _figure(answers, chance, by_group, seed).value,
        "accuracy": {
            n: _figure(answers, credits[n], by_group, seed)._asdict() for n in NORMALISATIONS
        },
        "groups": groups,
    }


def compare(
    first: Sequence[Answer],
    second: Sequence[Answer],
    normalisation: str,
    by_group: bool = False,
    seed: int = 0,
) -> Difference:
    """What the second model has in advance of the first, in the same or in another mode.

    Raises:
        ValueError: no item in common, or one that is not the same question.
    """
    before, after = _by_id(first), _by_id(second)
    common = [item_id for item_id in before if item_id in after]
    if not common:
        raise ValueError("the two have no item in common: they are of different tasks")
    for item_id in common:
        _check_same(before[item_id], after[item_id])
    pairs = [(before[i].credit(normalisation), after[i].credit(normalisation)) for i in common]
    answers = [before[item_id] for item_id in common]
    lost, gained = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
    return Difference(
        items=len(common),
        only_first=len(before) - len(common),
        only_second=len(after) - len(common),
        first=_figure(answers, [a for a, _ in pairs], by_group, seed).value,
        second=_figure(answers, [b for _, b in pairs], by_group, seed).value,
        difference=_figure(answers, [b - a for a, b in pairs], by_group, seed),
        lost=lost,
        gained=gained,
        p_value=mcnemar(lost, gained),
    )


def mcnemar(lost: int, gained: int) -> float:
    """Two-sided exact p-value (McNemar, Psychometrika 1947, with the binomial distribution)."""
    total = lost + gained
    tail = sum(comb(total, k) for k in range(min(lost, gained) + 1))
    return min(1.0, 2 * tail / 2**total)


def changed_items(
    first: Sequence[Answer], second: Sequence[Answer], normalisation: str
) -> list[tuple[str, str, list[int], list[int]]]:
    """Items on which the two choose differently: id, group, what the first chose, the second."""
    after = _by_id(second)
    choices = [
        (a.item_id, a.group, a.chosen(normalisation), after[a.item_id].chosen(normalisation))
        for a in first
        if a.item_id in after
    ]
    return [choice for choice in choices if choice[2] != choice[3]]


def _by_id(answers: Sequence[Answer]) -> dict[str, Answer]:
    return {answer.item_id: answer for answer in answers}


def _check_same(a: Answer, b: Answer) -> None:
    if (a.answer, len(a.candidates)) != (b.answer, len(b.candidates)):
        raise ValueError(f"item {a.item_id} is not the same question: another right answer")


def _rows_of_groups(answers: Sequence[Answer]) -> Mapping[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, answer in enumerate(answers):
        rows.setdefault(answer.group, []).append(row)
    return rows


def _mean(values: Sequence[float], rows: Sequence[int]) -> float:
    return float(np.mean([values[row] for row in rows]))


def _figure(
    answers: Sequence[Answer], values: Sequence[float], by_group: bool, seed: int
) -> Figure:
    values = np.array(values, dtype=float)
    rows = _rows_of_groups(answers).values() if by_group else [range(len(values))]
    groups = [values[list(r)] for r in rows]
    return Figure(float(np.mean([g.mean() for g in groups])), bootstrap_interval(groups, seed))
