"""How far a figure could be off because other items might have been drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def bootstrap_interval(
    groups: Sequence[np.ndarray], seed: int = 0, repeats: int = 2000
) -> list[float]:
    """95 % interval of the mean over groups of a mean over items.

    The groups are what they are; the items of each are drawn anew, with replacement. With
    differences of two systems on the same items it is the paired bootstrap.

    Args:
        groups: of each the values ``(N,)`` of its items, N at least 1.
    """
    rng = np.random.default_rng(seed)
    total = sum(_means(values, repeats, rng) for values in groups)
    return np.percentile(total / len(groups), [2.5, 97.5]).tolist()


def _means(values: np.ndarray, repeats: int, rng: np.random.Generator) -> np.ndarray:
    """Means ``(repeats,)`` of as many values drawn from ``values``.

    How often each distinct value is drawn is all that counts, and right or wrong has few of them.
    """
    distinct, counts = np.unique(values, return_counts=True)
    drawn = rng.multinomial(len(values), counts / len(values), size=repeats)
    return drawn @ distinct / len(values)
