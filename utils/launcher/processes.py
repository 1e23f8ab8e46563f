"""Jobs as processes of this machine, each with a log."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from launcher.call import Job
from launcher.children import (
    POLL_SECONDS,
    CannotStart,
    Child,
    catch_signals,
    make_death_wish,
    terminate,
)
from launcher.display import Display


def timestamp() -> str:
    """The local time for a log."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def append_lines(log: str, text: str) -> None:
    """Append lines to a log, on a line of their own whatever a command wrote before."""
    with open(log, "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            text = "\n" + text
        file.write(f"{text}\n".encode("utf-8", "surrogateescape"))


class ProcessJob(Job):
    """A job that is a process; its log begins with the command and ends with its exit status."""

    child: Child | None = None
    where = os.uname().nodename

    def start(self, environment: dict[str, str]) -> None:
        """Start the command; ``code`` is set at once if that is impossible."""
        self.started = time.monotonic()
        append_lines(self.log, f"# {shlex.join(self.command)}")
        append_lines(self.log, f"# Started on {self.where} at {timestamp()}\n#")
        environment = {**environment, "SSR_PROGRESS_FILE": os.path.abspath(self.progress_file)}
        # Appending, so that no writer overwrites what another process of the job wrote.
        with open(self.log, "ab") as log:
            try:
                self.child = self.start_child(environment, log)
            except CannotStart as error:
                append_lines(self.log, f"{os.path.basename(sys.argv[0])}: {error}")
                self.finish(error.code)

    def start_child(self, environment: dict[str, str], log) -> Child:
        return Child(self.command, environment, stdout=log, stderr=subprocess.STDOUT)

    def poll(self) -> bool:
        """Whether the job has ended; its log is completed when it has."""
        if self.code is None and (code := self.child.poll()) is not None:
            self.finish(code)
        return self.code is not None

    def finish(self, code: int) -> None:
        """Note the exit status and complete the log."""
        self.code = code
        elapsed = time.monotonic() - self.started
        append_lines(self.log, f"# Ended (code {code}) at {timestamp()}, elapsed {elapsed:.1f} s")


Jobs = TypeVar("Jobs", bound=ProcessJob)


def run_processes(
    program: str, jobs: Sequence[Jobs], max_jobs: int, start: Callable[[Jobs], None]
) -> tuple[list[Jobs], int | None]:
    """Run jobs, at most ``max_jobs`` at a time, each begun by ``start``.

    Returns:
        The failed jobs in the order of their failures, and the signal that ended it all or None.
    """
    received = catch_signals()
    if stop_with_parent := make_death_wish(signal.SIGTERM):
        stop_with_parent()
    waiting, running, failed = list(jobs[::-1]), [], []
    display = Display(program, jobs)
    while (waiting or running) and not received:
        while waiting and len(running) < max_jobs and not received:
            running.append(waiting.pop())
            running[-1].clear()
            start(running[-1])
        ended = [job for job in running if job.poll()]
        failed.extend(job for job in ended if job.code != 0)
        running = [job for job in running if job.code is None]
        display.update()
        if not ended:
            time.sleep(POLL_SECONDS)
    display.clear()
    terminate([job.child for job in running])
    for job in jobs:
        job.remove_progress()
    for job in running:
        job.poll()
    return failed, received[0] if received else None
