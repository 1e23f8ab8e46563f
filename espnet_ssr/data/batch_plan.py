"""Which utterances go into which batch: two arrays, however many utterances there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from espnet_ssr.data.shapes import Shapes

TOKENS = "token_id_shape"  # name of the shape file with the numbers of tokens
CHUNK = 1 << 20  # numbers that are Python's at once
GROWTH = 1.1  # of the longest over the shortest utterance of a bucket


@dataclass(frozen=True)
class BatchPlan:
    """Batches of rows of a table.

    Attributes:
        rows: ``(N,)``, the rows of the first batch, then those of the second, ...
        edges: ``(B + 1,)``: batch b is ``rows[edges[b] : edges[b + 1]]``.
    """

    rows: np.ndarray
    edges: np.ndarray

    def __len__(self) -> int:
        return len(self.edges) - 1

    def __getitem__(self, batch: int) -> np.ndarray:
        return self.rows[self.edges[batch] : self.edges[batch + 1]]

    def reversed(self) -> BatchPlan:
        """The last batch first, the last of its rows first."""
        return BatchPlan(self.rows[::-1], (self.edges[-1] - self.edges)[::-1])

    def first(self, number: int) -> BatchPlan:
        """The first ``number`` batches."""
        return BatchPlan(self.rows, self.edges[: number + 1])


def plan_batches(
    shapes: Sequence[Shapes],
    batch_type: str,
    *,
    batch_size: int,
    batch_bins: int,
    batch_tokens: int | None = None,
    min_size: int = 1,
) -> BatchPlan:
    """The batches that ESPnet's options ask for.

    Args:
        shapes: of the inputs of the model; utterances are sorted by the length in the first.
        batch_type: ``unsorted`` (``batch_size`` utterances), ``numel`` (``batch_bins`` numbers,
            padding included) or ``length`` (``batch_bins`` frames and tokens).
        batch_tokens: see ``plan_of_bins_and_tokens``; None: any number.

    Raises:
        ValueError: another type, no shapes, or no numbers of tokens for ``batch_tokens``.
    """
    if not shapes:
        raise ValueError("give --train_shape_file and --valid_shape_file")
    if batch_type == "unsorted":
        return plan_of_size(len(shapes[0]), batch_size)
    if batch_type not in ("numel", "length"):
        raise ValueError(f"batch_type: {batch_type}: must be numel, length or unsorted")
    costs = sum(s.lengths * (s.width if batch_type == "numel" else 1) for s in shapes)
    if batch_tokens is None:
        return plan_of_bins(shapes[0].lengths, costs, batch_bins, min_size)
    tokens = [s.lengths for s in shapes if s.path.name == TOKENS]
    if not tokens:
        raise ValueError(f"batch_tokens: there is no {TOKENS} among the shape files")
    return plan_of_bins_and_tokens(
        shapes[0].lengths, costs, batch_bins, tokens[0], batch_tokens, min_size
    )


def plan_of_size(num_rows: int, batch_size: int) -> BatchPlan:
    """Batches of ``batch_size`` or a few more, in the order of the rows (ESPnet's ``unsorted``)."""
    number = max(num_rows // batch_size, 1)
    edges = np.arange(number + 1) * num_rows // number
    return BatchPlan(np.arange(num_rows, dtype=np.uint32), edges)


def plan_of_bins(
    lengths: np.ndarray, costs: np.ndarray, max_cost: int, min_size: int = 1
) -> BatchPlan:
    """Batches of like length, longest first, each as large as ``max_cost`` lets it be.

    The rule is that of ESPnet's ``numel``, and so are the batches: the utterance with which a batch
    goes over the limit is still in it.

    Args:
        lengths: ``(N,)``, what rows are sorted by.
        costs: ``(N,)``: a batch of n costs n times that of its longest.
        max_cost: of a batch.
        min_size: of a batch (one for each process, for example), whatever it costs.
    """
    rows = np.argsort(lengths, kind="stable").astype(np.uint32)
    sizes, size = [], 0
    for cost in _python_numbers(costs[rows]):
        size += 1
        if size * cost > max_cost and size >= min_size:
            sizes.append(size)
            size = 0
    return _cut(rows, sizes, size, min_size)


def plan_of_bins_and_tokens(
    lengths: np.ndarray,
    costs: np.ndarray,
    max_cost: int,
    tokens: np.ndarray,
    max_tokens: int,
    min_size: int = 1,
) -> BatchPlan:
    """Batches of like length and like number of tokens, within both limits unless a single
    utterance (or ``min_size`` of them) is beyond one.

    Rows are sorted by length in steps of a tenth, and by tokens within a step, so that little of
    either is padding.

    Args:
        tokens: ``(N,)``: a batch of n has n times those of the utterance with most.
        max_tokens: of a batch.
        lengths, costs, max_cost, min_size: see ``plan_of_bins``.
    """
    steps = np.log(np.maximum(lengths, 1)) // np.log(GROWTH)
    rows = np.lexsort((tokens, steps)).astype(np.uint32)
    sizes, size, highest, most = [], 0, 0, 0
    numbers = zip(_python_numbers(costs[rows]), _python_numbers(tokens[rows]), strict=True)
    for cost, count in numbers:
        highest, most, size = max(highest, cost), max(most, count), size + 1
        if (size * highest > max_cost or size * most > max_tokens) and size > min_size:
            sizes.append(size - 1)
            size, highest, most = 1, cost, count
    return _cut(rows, sizes, size, min_size)


def _python_numbers(values: np.ndarray) -> Iterator[int]:
    """The values as Python's numbers, which loops are faster with."""
    for start in range(0, len(values), CHUNK):
        yield from values[start : start + CHUNK].tolist()


def _cut(rows: np.ndarray, sizes: list[int], left: int, min_size: int) -> BatchPlan:
    """A plan of batches of these ``sizes`` and of what is ``left`` after them, longest first."""
    if left >= min_size or not sizes:
        sizes.append(left)
    else:
        # As ESPnet does: too few for a batch, one more for each of the last ones.
        for i in range(left):
            sizes[-1 - i % len(sizes)] += 1
    sizes = [size for size in sizes if size]
    edges = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    return BatchPlan(rows, edges).reversed()
