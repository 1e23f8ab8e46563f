"""Damaged utterances in training: counted by cause and named; too many of them end it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import torch

from espnet_ssr.data.dataset import Skipped
from espnet_ssr.data.format import describe_causes
from espnet_ssr.datadir import read_keyed, write_keyed
from espnet_ssr.train.processes import rank

FILE = "skipped"


class SkipCounter:
    """What was skipped in an epoch, or in a validation.

    Args:
        planned: utterances that there are in the epoch.
        max_fraction: how many of them may be skipped.

    Attributes:
        found: by utterance, its cause and details.
    """

    def __init__(self, planned: int, max_fraction: float):
        self._planned, self._max_fraction = planned, max_fraction
        self.found: dict[str, str] = {}

    def add(self, skipped: Iterable[Skipped]) -> None:
        """Count utterances.

        Raises:
            RuntimeError: there are too many; says why.
        """
        for utt_id, cause, details in skipped:
            self.found[utt_id] = f"{cause} {' '.join(details.split())}"
        if len(self.found) > self._max_fraction * self._planned:
            first, why = next(iter(self.found.items()))
            raise RuntimeError(
                f"{len(self.found)} of {self._planned} utterances cannot be read, more than "
                f"--max_skipped {self._max_fraction:g} of them; the first is {first}: {why}"
                f"{describe_causes(self.found)}"
            )

    def report(self, folder: Path, what: str) -> None:
        """Log what was skipped by all processes and add it to ``folder/skipped``; to be called by
        all of them together.

        Args:
            what: it was skipped in.
        """
        found = self._gather()
        if not found or rank():
            return
        logging.warning(f"{what}: {len(found)} of {self._planned}{describe_causes(found)}")
        file = folder / FILE
        before = read_keyed(file) if file.exists() else {}
        write_keyed(file, dict(sorted({**before, **found}.items())))

    def _gather(self) -> dict[str, str]:
        if not torch.distributed.is_initialized():
            return self.found
        parts = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, self.found)
        return {utt_id: why for part in parts for utt_id, why in part.items()}
