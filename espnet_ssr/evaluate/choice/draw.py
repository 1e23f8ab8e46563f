"""Drawing of questions, the same for the same seed on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import islice, zip_longest
from typing import TypeVar

T = TypeVar("T")


def shuffled(values: Iterable[T], seed: int, name: str = "") -> list[T]:
    """In an order that is another for each seed and name."""
    values = list(values)
    random.Random(f"{seed} {name}").shuffle(values)
    return values


def draw_evenly(groups: Sequence[str], number: int, seed: int) -> list[int]:
    """Draw ``number`` of as many questions as there are ``groups``, from each group as many as from
    the others as long as it has them. A larger number gives the same ones and more.

    Args:
        groups: that of each question.

    Returns:
        indices, sorted.
    """
    by_group: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        by_group.setdefault(group, []).append(index)
    orders = [shuffled(by_group[group], seed, group) for group in shuffled(by_group, seed)]
    rounds = (index for turn in zip_longest(*orders) for index in turn if index is not None)
    return sorted(islice(rounds, number))
