"""What a launcher shows: progress of the jobs, the end of the first failing log."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

from launcher.call import Job

LIVE_SECONDS = 1
PLAIN_SECONDS = 15
TAIL_LINES = 20
TAIL_COLUMNS = 500
TAIL_BYTES = 65536


class Display:
    """One line about the progress of all jobs: live on a terminal, now and then elsewhere."""

    def __init__(self, program: str, jobs: Sequence[Job]):
        self.program, self.jobs = program, jobs
        self.is_live = sys.stderr.isatty()
        self.started = self.shown = time.monotonic()
        self.first_report: float | None = None  # seconds until a job reported

    def update(self) -> None:
        """Show the line if it is time to."""
        now = time.monotonic()
        if now - self.shown >= (LIVE_SECONDS if self.is_live else PLAIN_SECONDS):
            self.shown = now
            start, end = ("\r\x1b[K", "") if self.is_live else ("", "\n")
            line = start + self.describe(now - self.started)
            print(line, end=end, file=sys.stderr, flush=True)

    def describe(self, elapsed: float) -> str:
        """The line after ``elapsed`` seconds."""
        ended = sum(job.code is not None for job in self.jobs)
        waiting = sum(job.code is None and job.waiting for job in self.jobs)
        line = f"{self.program}: {ended}/{len(self.jobs)} jobs ended, {format_time(elapsed)}"
        if waiting:
            line += f", {waiting} waiting in the queue"
        if counts := self.count_steps():
            done, total = counts
            line += f", {done}/{total}"
            if self.first_report is None:
                self.first_report = elapsed
            # Work that is resumed is not fast work.
            new = done - sum(job.resumed or 0 for job in self.jobs)
            if new > 0 and elapsed > self.first_report:
                rate = new / (elapsed - self.first_report)
                line += f", {rate:.1f}/s, {format_time(max(total - done, 0) / rate)} left"
        return line

    def count_steps(self) -> tuple[int, int] | None:
        """The steps done and their total over all jobs, or None if no job reported any."""
        reports = [report for report in (job.read_progress() for job in self.jobs) if report]
        if not reports:
            return None
        # Jobs that did not report yet are taken to be as large as those that did.
        total = sum(report[1] for report in reports) * len(self.jobs) // len(reports)
        return sum(report[0] for report in reports), total

    def clear(self) -> None:
        """Remove the live line."""
        if self.is_live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def format_time(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def read_tail(path: str) -> str:
    """The last lines of a log."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - TAIL_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    cut = (f"{line[:TAIL_COLUMNS]} ..." if len(line) > TAIL_COLUMNS else line for line in lines)
    return "\n".join(list(cut)[-TAIL_LINES:])


def report(program: str, jobs: Sequence[Job], failed: Sequence[Job], number: int | None) -> int:
    """Say how it went, and return the launcher's exit status.

    Args:
        failed: the jobs that failed, the first one first.
        number: the signal that ended all, or None.
    """
    if number is not None:
        print(f"{program}: {signal.Signals(number).name}, all jobs stopped", file=sys.stderr)
        return 128 + number
    if failed:
        print(
            f"{program}: {len(failed)} of {len(jobs)} jobs failed; the end of {failed[0].log}:\n"
            f"{read_tail(failed[0].log)}",
            file=sys.stderr,
        )
        return 1
    return 0
