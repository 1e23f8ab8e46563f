"""Progress of long work: a bar on a terminal, a file for the job launcher, nothing else."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tqdm import tqdm


class Progress:
    """Counts steps.

    Under ``utils/run.py`` (``$SSR_PROGRESS_FILE`` is set) "done total" goes to that file, at
    most twice a second, and the launcher adds up its jobs and shows one line. Otherwise it is a
    ``tqdm`` bar on a terminal.
    """

    def __init__(self, total: int, description: str, done: int = 0):
        self.total, self.done = total, done
        self._file = os.environ.get("SSR_PROGRESS_FILE")
        self._written = 0.0
        self._bar = None
        if not self._file:
            disable = not sys.stderr.isatty()
            self._bar = tqdm(total=total, desc=description, initial=done, disable=disable)
        self._write()

    def update(self, steps: int = 1) -> None:
        self.done += steps
        if self._bar is not None:
            self._bar.update(steps)
        elif time.monotonic() - self._written > 0.5 or self.done >= self.total:
            self._write()

    def _write(self) -> None:
        if self._file:
            self._written = time.monotonic()
            temporary = Path(f"{self._file}.tmp")
            temporary.write_text(f"{self.done} {self.total}\n")
            os.replace(temporary, self._file)
