"""What a training cost, epoch by epoch: ``training_cost.json``."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from espnet_ssr.datadir import write_lines

COST_FILE = "training_cost.json"


@dataclass(frozen=True)
class TrainingCost:
    """Optimizer steps, and what they took, without validation.

    Attributes:
        steps: of the optimizer.
        wall_seconds: on the clock.
        cpu_seconds: of all threads of this process and of its data loaders.
    """

    steps: int
    wall_seconds: float
    cpu_seconds: float


@contextmanager
def measure_epoch(
    output_dir: Path, epoch: int, steps: int, before: tuple[float, float] = (0.0, 0.0)
) -> Iterator[Callable[[], tuple[float, float]]]:
    """Add the work in this context to ``training_cost.json``; gives a function that tells the
    seconds of the epoch so far, on the clock and of processors.

    Epochs are kept apart there, so that one that was killed and is done again counts once, and what
    is known of later ones is dropped.

    Args:
        before: seconds of the part of the epoch that an earlier process did.
    """
    wall, cpu = before[0] - time.perf_counter(), before[1] - _cpu_seconds()

    def spent() -> tuple[float, float]:
        return round(wall + time.perf_counter(), 3), round(cpu + _cpu_seconds(), 3)

    yield spent
    cost = TrainingCost(steps, *spent())
    file = output_dir / COST_FILE
    epochs = json.loads(file.read_text()) if file.exists() else {}
    epochs = {e: c for e, c in epochs.items() if int(e) < epoch}
    write_lines(file, [json.dumps({**epochs, str(epoch): asdict(cost)}, indent=1)])


def _cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def read_cost(folder: Path) -> TrainingCost | None:
    """The cost of all epochs of a training; None if that of any of them was not recorded."""
    file = folder / COST_FILE
    epochs = json.loads(file.read_text()) if file.exists() else {}
    if not epochs or len(epochs) < max(map(int, epochs)):
        return None
    names = [field.name for field in fields(TrainingCost)]
    return TrainingCost(*(sum(cost[name] for cost in epochs.values()) for name in names))
