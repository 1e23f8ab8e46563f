"""The state of a training in the middle of an epoch, to go on from at the very batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from espnet2.torch_utils.set_all_random_seed import set_all_random_seed
from espnet2.train.reporter import Average, ReportedValue, SubReporter, WeightedAverage

from espnet_ssr.tensors import read_tensors
from espnet_ssr.train.skipped import SkipCounter

MIDEPOCH_FILE = "midepoch.pth"


class Progressed(NamedTuple):
    """How far an epoch is.

    Attributes:
        batches: that were trained on.
        seconds: on the clock and of processors, see ``TrainingCost``.
    """

    batches: int = 0
    seconds: tuple[float, float] = (0.0, 0.0)


class MidEpoch:
    """Keeps and restores what changes while an epoch is trained.

    States of random generators are not kept: ``seed_anew`` is called wherever a state is kept,
    whether the training goes on or is resumed there.

    Args:
        folder: of the training.
        total: batches of the epoch.
        model, optimizers, schedulers, scaler, reporter: as in ESPnet's ``train_one_epoch``.
        skipped: of the epoch.
    """

    def __init__(
        self,
        folder: Path,
        total: int,
        *,
        model: torch.nn.Module,
        optimizers: Sequence,
        schedulers: Sequence,
        scaler,
        reporter: SubReporter,
        skipped: SkipCounter,
    ):
        self._file, self._total = folder / MIDEPOCH_FILE, total
        # DistributedDataParallel names its entries otherwise than the file's.
        model = getattr(model, "module", model)
        parts = {"model": model, "scaler": scaler}
        parts |= {f"optimizer{i}": optimizer for i, optimizer in enumerate(optimizers)}
        parts |= {f"scheduler{i}": scheduler for i, scheduler in enumerate(schedulers)}
        self._parts = {name: part for name, part in parts.items() if part is not None}
        self._reporter, self._skipped = reporter, skipped

    def save(self, progressed: Progressed) -> None:
        """Write the state; to be called between two steps, with ``atomic_torch_save``."""
        stats = {name: _to_tensor(values) for name, values in self._reporter.stats.items()}
        state = {
            "epoch": self._reporter.epoch,
            "total": self._total,
            "batches": progressed.batches,
            "seconds": progressed.seconds,
            "parts": {name: part.state_dict() for name, part in self._parts.items()},
            "stats": stats,
            "counts": (self._reporter.count, self._reporter.total_count),
            "skipped": self._skipped.found,
        }
        torch.save(state, self._file)

    def resume(self) -> Progressed:
        """Restore the state that this epoch was left in, if it was.

        Raises:
            RuntimeError: the file is damaged, or of other data.
        """
        if not self._file.exists():
            return Progressed()
        state = read_tensors(self._file)
        if state["epoch"] != self._reporter.epoch:
            return Progressed()
        if state["total"] != self._total:
            raise RuntimeError(
                f"{self._file} is of {state['total']} batches an epoch, now there are "
                f"{self._total}: the data are others. Remove {self._file.parent} to begin anew"
            )
        for name, part in self._parts.items():
            part.load_state_dict(state["parts"][name])
        for name, values in state["stats"].items():
            self._reporter.stats[name] = _to_values(values)
        self._reporter.count, self._reporter.total_count = state["counts"]
        self._skipped.found = state["skipped"]
        return Progressed(state["batches"], tuple(state["seconds"]))


def seed_anew(seed: int, epoch: int, batches: int, rank: int) -> None:
    """Seed all generators of this process by the place in the training and its rank."""
    sequence = np.random.SeedSequence((seed, epoch, batches, rank))
    set_all_random_seed(int(sequence.generate_state(1)[0]))


def _to_tensor(values: Sequence[ReportedValue]) -> torch.Tensor:
    """``(N, 2)`` values and weights, or ``(N, 1)`` values of a plain mean."""
    weighted = isinstance(values[0], WeightedAverage)
    rows = [[v.value, v.weight] if weighted else [v.value] for v in values]
    return torch.tensor(rows, dtype=torch.float64)


def _to_values(rows: torch.Tensor) -> list[ReportedValue]:
    kind = WeightedAverage if rows.shape[1] == 2 else Average
    return [kind(*row) for row in rows.tolist()]
