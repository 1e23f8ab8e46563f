"""What it costs a system to turn speech into what its LLM reads."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import soundfile

DIGITS = 5  # of seconds, in files


class Cost(NamedTuple):
    """Of some speech.

    Attributes:
        cpu_seconds: user and system time of all threads, and of programs that were started. Unlike
            the time on the clock it hardly depends on what else the machine does.
        audio_seconds: duration of the speech.
    """

    cpu_seconds: float
    audio_seconds: float

    @property
    def real_time_factor(self) -> float:
        """Seconds of CPU time a second of speech."""
        return self.cpu_seconds / self.audio_seconds


def cpu_seconds() -> float:
    """Of this process and of the programs that it started and that ended, so far."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(own.ru_utime + own.ru_stime for own in used)


def share_cost(spent: float, files: Sequence[str]) -> list[Cost]:
    """Of each audio file of those that CPU time was spent on together, by its duration."""
    seconds = [soundfile.info(file).duration for file in files]
    total = sum(seconds)
    return [Cost(round(spent * s / total, DIGITS), round(s, DIGITS)) for s in seconds]


def add_costs(costs: Iterable[Cost | None]) -> Cost | None:
    """Of all that are known together; None: of none it is."""
    known = [cost for cost in costs if cost is not None]
    return Cost(*map(sum, zip(*known, strict=True))) if known else None
