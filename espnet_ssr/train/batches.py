"""The batches of an epoch, in an order that depends on the seed alone, from any batch on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from torch.utils.data import DataLoader

from espnet_ssr.data.batch_plan import BatchPlan
from espnet_ssr.data.dataset import Batch, Examples, TableDataset
from espnet_ssr.train.skipped import SkipCounter

SPARE = 8  # utterances that are tried where a whole batch is damaged
PREFETCHED = 4  # batches that a worker has ready


class EpochBatches:
    """A ``DataLoader``'s batch sampler: some batches of a plan, one process' share of each.

    Args:
        numbers: ``(E,)``, of the batches in their order.
        seed: numbers that what is drawn depends on, besides the batch.
        rank, world_size: of the processes that train together.
    """

    def __init__(
        self,
        plan: BatchPlan,
        numbers: np.ndarray,
        seed: tuple[int, ...],
        rank: int = 0,
        world_size: int = 1,
    ):
        self._plan, self._numbers, self._seed = plan, numbers, seed
        self._rank, self._world_size = rank, world_size
        self._begin = 0

    def skip(self, batches: int) -> None:
        """Begin after the first ``batches``, which were trained on."""
        self._begin = batches

    def __len__(self) -> int:
        return len(self._numbers) - self._begin

    def count_rows(self) -> int:
        """How many utterances there are in all of the batches of all processes."""
        return int(np.diff(self._plan.edges)[self._numbers].sum())

    def __iter__(self) -> Iterator[Batch]:
        for place in range(self._begin, len(self._numbers)):
            number = self._numbers[place]
            rows = self._plan[number][self._rank :: self._world_size].tolist()
            # Those of the batches beside it: of like length.
            first = max(0, min(self._plan.edges[number + 1], len(self._plan.rows) - SPARE))
            spare = self._plan.rows[first : first + SPARE].tolist()
            yield Batch(rows, spare, (*self._seed, place, self._rank))


class BatchLoader:
    """Iterates ``(utt_ids, batch)`` and keeps account of what was skipped.

    Attributes:
        skipped: by this process.
    """

    def __init__(self, loader: DataLoader, skipped: SkipCounter):
        self._loader = loader
        self.skipped = skipped

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[tuple[list[str], dict[str, torch.Tensor]]]:
        for utt_ids, batch, skipped in self._loader:
            self.skipped.add(skipped)
            yield utt_ids, batch

    def skip(self, batches: int) -> None:
        self._loader.batch_sampler.skip(batches)


class _Collate:
    """Makes a batch of examples, and passes on what was left out."""

    def __init__(self, collate: Callable):
        self._collate = collate

    def __call__(self, examples: Examples):
        return *self._collate(examples.read), examples.skipped


class BatchIterFactory(AbsIterFactory):
    """``espnet2.iterators.sequence_iter_factory.SequenceIterFactory`` on a ``BatchPlan``: the
    same batches in the same order.

    Args:
        num_iters_per_epoch: batches of an epoch, which then goes on in the plan where the one
            before it stopped; None: all.
        seed: the order of each pass through the plan depends on it, and what is drawn.
        shuffle: False: the order of the plan.
        max_skipped: fraction of an epoch's utterances that may be damaged.
        rank, world_size: of the processes that train together.
        loader_options: of the ``DataLoader``.
    """

    def __init__(
        self,
        dataset: TableDataset,
        plan: BatchPlan,
        collate: Callable,
        *,
        num_iters_per_epoch: int | None = None,
        seed: int = 0,
        shuffle: bool = False,
        max_skipped: float = 0.0,
        rank: int = 0,
        world_size: int = 1,
        **loader_options,
    ):
        self._dataset, self._plan, self._collate = dataset, plan, _Collate(collate)
        self._num_iters, self._seed, self._shuffle = num_iters_per_epoch, seed, shuffle
        self._max_skipped = max_skipped
        self._rank, self._world_size = rank, world_size
        self._loader_options = loader_options

    def build_iter(self, epoch: int, shuffle: bool | None = None) -> BatchLoader:
        """The batches of an epoch, from 1."""
        numbers = self._numbers_of(epoch, self._shuffle if shuffle is None else shuffle)
        batches = EpochBatches(
            self._plan, numbers, (self._seed, epoch), self._rank, self._world_size
        )
        workers = {}
        if self._loader_options.get("num_workers"):
            workers["prefetch_factor"] = PREFETCHED
        loader = DataLoader(
            self._dataset,
            batch_sampler=batches,
            collate_fn=self._collate,
            **workers,
            **self._loader_options,
        )
        return BatchLoader(loader, SkipCounter(batches.count_rows(), self._max_skipped))

    def _numbers_of(self, epoch: int, shuffle: bool) -> np.ndarray:
        if self._num_iters is None:
            return self._pass(epoch, shuffle)
        places = np.arange(self._num_iters) + self._num_iters * (epoch - 1)
        passes, places = np.divmod(places, len(self._plan))
        parts = [self._pass(p, shuffle)[places[passes == p]] for p in np.unique(passes)]
        return np.concatenate(parts)

    def _pass(self, number: int, shuffle: bool) -> np.ndarray:
        """The order of the batches in a pass through all of them."""
        numbers = np.arange(len(self._plan))
        if shuffle:
            np.random.RandomState(number + self._seed).shuffle(numbers)
        return numbers
