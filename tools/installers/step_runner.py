"""Run the steps of a set-up: once each, logged, watched, resumable, one set-up at a time.

A step's stamp is written only after the step succeeded and holds the step's inputs, so an
interrupted set-up goes on where it was, and a changed input redoes that step and all after it.
Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

LOG_TAIL = 15
NEWS = ("Collecting", "Downloading", "Installing", "Building", "Converting", "Successfully")


class StepError(Exception):
    """A step failed for a reason that its message explains."""


@dataclass(frozen=True)
class Step:
    """One unit of work.

    ``inputs`` is everything its result depends on; ``is_intact`` looks whether the result of an
    earlier run is still there; ``advice`` tells what to do when the step fails.
    """

    name: str
    title: str
    inputs: str
    action: Callable[[], None]
    advice: str
    is_intact: Callable[[], bool] = lambda: True


class Progress:
    """One line a step: rewritten in place on a terminal, repeated every 10 s elsewhere."""

    def __init__(self, label: str, stream: TextIO) -> None:
        self.label = label
        self.stream = stream
        self.news = ""
        self.started = time.monotonic()
        self._in_place = stream.isatty()
        self._finished = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    def elapsed(self) -> str:
        return f"{time.monotonic() - self.started:.0f} s"

    def _tick(self) -> None:
        while not self._finished.wait(0.5 if self._in_place else 10):
            line = f"{self.label} ... {self.elapsed()}  {self.news}".rstrip()
            line = line[: shutil.get_terminal_size((100, 24)).columns - 1]
            self.stream.write(f"\r\033[K{line}" if self._in_place else f"{line}\n")
            self.stream.flush()

    def finish(self, outcome: str) -> None:
        """Stop moving and print how the step ended."""
        self._finished.set()
        self._ticker.join()
        start = "\r\033[K" if self._in_place else ""
        print(f"{start}{self.label} ... {outcome} {self.elapsed()}", file=self.stream, flush=True)


class StepRunner:
    """Runs steps in one folder of stamps; everything they print goes to one log."""

    def __init__(self, stamps: Path, log: Path, stream: TextIO = sys.stdout) -> None:
        self.stamps = stamps
        self.log = log
        self.stream = stream
        self._progress: Progress | None = None
        self._lock: TextIO | None = None
        stamps.mkdir(parents=True, exist_ok=True)

    def say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one set-up at a time work here.

        The commands that are run inherit the lock: should this process be killed, the next
        set-up still waits until a running pip is done.
        """
        with (self.stamps / "lock").open("w") as self._lock:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say("Waiting for another set-up that is running in this folder ...")
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            except OSError as error:
                self.say(f"This file system has no locks ({error}): run one set-up at a time.")
            yield

    def call(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Run a command, its output going to the log; raise StepError when it fails."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"+ {' '.join(map(str, command))}\n")
            log.flush()
            child = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, **(env or {})},
                pass_fds=[self._lock.fileno()] if self._lock else [],
            )
            try:
                for line in child.stdout:
                    log.write(line)
                    log.flush()
                    self._show(line.strip())
            except BaseException:
                child.terminate()
                raise
            finally:
                child.wait()
        if child.returncode:
            raise StepError(f"the command ended with status {child.returncode}")

    def _show(self, line: str) -> None:
        if self._progress and line.startswith(NEWS):
            self._progress.news = line

    def _stamp(self, step: Step) -> Path:
        return self.stamps / f"{step.name}.done"

    def is_done(self, step: Step) -> bool:
        """Whether the step ran to its end with the same inputs and its result is still there."""
        stamp = self._stamp(step)
        return stamp.exists() and stamp.read_text() == step.inputs and step.is_intact()

    def forget(self, steps: Sequence[Step]) -> None:
        """Have these steps run again."""
        for step in steps:
            self._stamp(step).unlink(missing_ok=True)

    def run(self, steps: Sequence[Step]) -> bool:
        """Run what is not done; whether all steps are done now."""
        todo = next((i for i, step in enumerate(steps) if not self.is_done(step)), len(steps))
        # A step builds on those before it, so its own stamp is worth nothing once they change.
        self.forget(steps[todo:])
        for number, step in enumerate(steps[todo:], start=todo + 1):
            if not self._run_step(step, f"[{number}/{len(steps)}] {step.title}"):
                return False
        return True

    def _run_step(self, step: Step, label: str) -> bool:
        self._write_log(f"\n=== {label} ({time.strftime('%F %T')})\n")
        step_start = self.log.stat().st_size
        self._progress = Progress(label, self.stream)
        try:
            step.action()
        except StepError as error:
            self._progress.finish("FAILED after")
            self._explain(step, error, step_start)
            return False
        except BaseException:
            self._progress.finish("stopped after")
            raise
        self._stamp(step).write_text(step.inputs)
        self._progress.finish("ok")
        return True

    def _write_log(self, text: str) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(text)

    def _explain(self, step: Step, error: StepError, step_start: int) -> None:
        self.say(f"--- the last lines of this step in {self.log}:")
        with self.log.open(encoding="utf-8", errors="replace") as log:
            log.seek(step_start)
            for line in deque(log, LOG_TAIL):
                self.say("    " + line.rstrip())
        self.say(f"--- step '{step.name}' failed: {error}")
        self.say(f"    What to do: {step.advice}")
        self.say("    Then run the same command again: finished steps are not repeated.")
        self._write_log(f"FAILED: {error}\n")
