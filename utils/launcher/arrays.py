"""Jobs as tasks of a cluster's arrays: submitted, waited for, and those that failed once more."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from launcher.call import Call, Job, stop
from launcher.children import catch_signals, make_death_wish
from launcher.display import Display, report
from launcher.guardian import Guardian
from launcher.processes import append_lines
from launcher.tasks import write_tasks

DEFAULT_RETRIES = 1
POLL_SECONDS = 0.5
LOOK_SECONDS = 10  # between questions to the scheduler, which serves others, too
SETTLE_SECONDS = 5  # until a killed task is believed not to be put into the queue again
END_SECONDS = 40  # for tasks that are cancelled; Slurm kills them after 30
ANSWER_SECONDS = 60  # a scheduler's, at most
LAG_SECONDS = 60  # until the result of a task is visible here, on a slow network filesystem
WAITING, RUNNING, KILLED, GONE = "waiting", "running", "killed", "gone"
RUN_TASK = Path(__file__).resolve().parents[1] / "run_task.py"


class SubmitError(Exception):
    """The scheduler did not take an array."""


class Scheduler(Protocol):
    """What is particular to a cluster's scheduler."""

    program: str  # the launcher's name
    task_variable: str  # has the number of the task in its environment

    def submit(self, script: str, numbers: Sequence[int]) -> list[str]:
        """Submit a script as an array of just these tasks; returns ids.

        Raises:
            SubmitError: it was refused.
        """

    def cancel(self, ids: Sequence[str]) -> list[str]:
        """The command that ends arrays."""

    def states(self, ids: Sequence[str]) -> dict[int, tuple[str, str]] | None:
        """State of each task that is known: WAITING, RUNNING, KILLED (there will be no result) or
        GONE (a result is there or will soon be seen), with the scheduler's word for it.

        None if the scheduler does not answer now.
        """


def ranges(numbers: Iterable[int]) -> list[str]:
    """Ascending numbers as ranges: 1 2 3 7 becomes "1-3", "7"."""
    found = []
    for _, group in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        found.append(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]))
    return found


class ArrayRun:
    """The jobs of one call, from the first submission to the last retry."""

    def __init__(self, scheduler: Scheduler, jobs: Sequence[Job], threads: int):
        self.scheduler, self.jobs = scheduler, jobs
        self.received = catch_signals()
        if stop_with_parent := make_death_wish(signal.SIGTERM):
            stop_with_parent()
        self.display = Display(scheduler.program, jobs)
        for job in jobs:
            job.clear()
        parent = os.path.dirname(os.path.abspath(jobs[0].log))
        # A new name each time: what is left of a killed run is never taken for a result.
        self.folder = Path(tempfile.mkdtemp(prefix=f".{scheduler.program}.", dir=parent))
        write_tasks(str(self.folder / "tasks.json"), jobs, threads)
        self.guardian = Guardian()

    def run(self, retries: int) -> tuple[list[Job], int | None]:
        """Run all jobs; returns those that failed and the signal that ended it all or None."""
        failed = list(self.jobs)
        try:
            for attempt in range(1, retries + 2):
                if attempt > 1:
                    self._prepare_retry(failed, attempt, retries + 1)
                failed = self._run_once(failed, attempt)
                if not failed or self.received:
                    break
        finally:
            self.display.clear()
            self.guardian.end()
            shutil.rmtree(self.folder, ignore_errors=True)
            for job in self.jobs:
                job.remove_progress()
        return failed, self.received[0] if self.received else None

    def _prepare_retry(self, jobs: Sequence[Job], attempt: int, attempts: int) -> None:
        """Say what is done again, and keep its logs under another name."""
        self.display.clear()
        numbers = ",".join(ranges(job.number for job in jobs))
        print(
            f"{self.scheduler.program}: {len(jobs)} of {len(self.jobs)} jobs failed ({numbers}), "
            f"see {jobs[0].log}.{attempt - 1}; once more, attempt {attempt} of {attempts}",
            file=sys.stderr,
        )
        for job in jobs:
            if os.path.exists(job.log):
                os.rename(job.log, f"{job.log}.{attempt - 1}")
            job.remove_progress()
            job.code = job.resumed = None

    def _run_once(self, jobs: Sequence[Job], attempt: int) -> list[Job]:
        """Submit jobs as one array and wait for their ends; returns those that failed."""
        self.guardian.watch(["rm", "-rf", str(self.folder)])
        ids = self.scheduler.submit(self._make_script(attempt), [job.number for job in jobs])
        self.guardian.watch(self.scheduler.cancel(ids))
        watch = Watch(self.scheduler, ids)
        while not self.received and (unfinished := [job for job in jobs if job.code is None]):
            watch.look()
            self._collect(unfinished, attempt)
            for job in unfinished:
                if job.code is None and (word := watch.lost(job)):
                    append_lines(job.log, f"# {self.scheduler.program}: no result, {word}")
                    job.code = 1
            self.display.update()
            time.sleep(POLL_SECONDS)
        if self.received:
            self.guardian.end()
            watch.wait_for_end()
        else:
            if watch.has_lost:  # it may be stuck in the queue, or come back
                ask(self.scheduler.cancel(ids), os.environ)
            self.guardian.all_is_over()
        return [job for job in jobs if job.code != 0]

    def _make_script(self, attempt: int) -> str:
        """What the scheduler runs: the task's number is the only thing that a shell puts in."""
        command = [sys.executable, str(RUN_TASK), str(self.folder)]
        variable = self.scheduler.task_variable
        return f'#!/bin/sh\nexec {shlex.join(command)} "${variable}" {attempt}\n'

    def _collect(self, jobs: Sequence[Job], attempt: int) -> None:
        """Note the exit statuses that tasks left."""
        names = set(os.listdir(self.folder))
        for job in jobs:
            if (name := f"done.{job.number}.{attempt}") in names:
                job.code = int((self.folder / name).read_text())


class Watch:
    """What the scheduler says about the tasks of arrays, asked now and then."""

    def __init__(self, scheduler: Scheduler, ids: Sequence[str]):
        self._scheduler, self._ids = scheduler, ids
        self._states: dict[int, tuple[str, str]] | None = None
        self._looked = time.monotonic()
        self.has_lost = False
        self._suspicious: dict[int, float] = {}  # since when a task seems to be lost

    def look(self) -> None:
        """Ask the scheduler, if it is time to."""
        pause = SETTLE_SECONDS if self._suspicious else LOOK_SECONDS
        if time.monotonic() - self._looked >= pause:
            self._states = self._scheduler.states(self._ids)
            self._looked = time.monotonic()

    def lost(self, job: Job) -> str | None:
        """What happened to a job without a result, or None if there is hope."""
        if self._states is None:  # not asked yet, or no answer
            return None
        state, word = self._states.get(job.number, (GONE, "not in the queue any more"))
        job.waiting = state == WAITING
        if state in (WAITING, RUNNING):
            self._suspicious.pop(job.number, None)
            return None
        since = self._suspicious.setdefault(job.number, self._looked)
        patience = SETTLE_SECONDS if state == KILLED else LAG_SECONDS
        if self._looked - since < patience:
            return None
        self.has_lost = True
        return word

    def wait_for_end(self) -> None:
        """Wait until no task runs any more, so that none disturbs another run."""
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            states = self._scheduler.states(self._ids)
            alive = (WAITING, RUNNING)
            if states is not None and not any(state in alive for state, _ in states.values()):
                break
            time.sleep(POLL_SECONDS)


def submit(command: Sequence[str], script: str, environment: Mapping[str, str]) -> str:
    """Give a script to the program that submits jobs; returns what that says.

    Raises:
        SubmitError: it failed.
    """
    try:
        # A session of its own: Ctrl-C must not come between the submission and its answer.
        result = subprocess.run(
            command, input=script, env=environment, capture_output=True, text=True,
            start_new_session=True, check=False,
        )  # fmt: skip
    except OSError as error:
        raise SubmitError(f"cannot run {command[0]}: {error.strerror}") from None
    if result.returncode != 0:
        said = (result.stderr + result.stdout).strip()
        raise SubmitError(f"{command[0]} refused: {shlex.join(command)}\n{said}")
    return result.stdout.strip()


def ask(
    command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess | None:
    """Ask a scheduler something; None if it does not answer in time."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=ANSWER_SECONDS,
            start_new_session=True, check=False,
        )  # fmt: skip
    return None


def launch(scheduler: Scheduler, call: Call) -> int:
    """Run a call's jobs by a scheduler; returns the launcher's exit status."""
    jobs = call.make_jobs()
    # Training has a process for each GPU.
    processes = max(1, call.number_option("gpu", 0))
    threads = max(1, call.number_option("num_threads", 1) // processes)
    try:
        run = ArrayRun(scheduler, jobs, threads)
        failed, number = run.run(call.number_option("retries", DEFAULT_RETRIES))
    except SubmitError as error:
        stop(scheduler.program, str(error), code=1)
    return report(scheduler.program, jobs, failed, number)
