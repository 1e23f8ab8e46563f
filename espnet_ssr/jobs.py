"""Jobs on the utterances of a set: which are whose, and jobs as processes of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from functools import partial
from multiprocessing.connection import wait as wait_for_end
from pathlib import Path

import torch

from espnet_ssr.progress import Progress

POLL_SECONDS = 0.5


def part_of_job(keys: Sequence[str], job: int, num_jobs: int, shard_size: int) -> list[str]:
    """The keys of a job: whole shards one behind the other, about as many as any other job has.

    Shards are the same however many jobs there are, and so is what is computed in their batches.

    Args:
        job: from 1 to ``num_jobs``.
    """
    num_shards = -(-len(keys) // shard_size)
    first, last = (num_shards * n // num_jobs * shard_size for n in (job - 1, job))
    return list(keys[first:last])


def stamp(path: str | os.PathLike) -> str:
    """Which version of a file it is, in a moment: its size and when it was written."""
    status = os.stat(path)
    return f"{status.st_size} {status.st_mtime_ns}"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder``, which is made if need be, for this process alone.

    Raises:
        RuntimeError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"{folder} is being written by another run") from None
        yield


def run_processes(
    work: Callable[[int], None], num_jobs: int, num_keys: int, description: str
) -> None:
    """Call ``work(job)`` for each job from 1 to ``num_jobs``, in a process of its own if there are
    several; their progress is shown as one.

    If a job fails the others go on to their ends. Processes end with this one, even if it is
    killed.

    Args:
        work: can be pickled, and reports with ``Progress``.
        num_keys: of all jobs.

    Raises:
        Exception: the first that a job raised.
        RuntimeError: a process was killed.
    """
    if num_jobs == 1:
        work(1)
        return
    threads = max(1, (os.cpu_count() or 1) // num_jobs)
    with tempfile.TemporaryDirectory() as reports:
        start = partial(ProcessPoolExecutor, initializer=_begin, initargs=(threads,))
        with start(num_jobs, multiprocessing.get_context("spawn")) as pool:
            jobs = range(1, num_jobs + 1)
            futures = [pool.submit(_work, work, job, Path(reports, str(job))) for job in jobs]
            _watch(futures, Path(reports), Progress(num_keys, description))
    for future in futures:
        future.result()


def _begin(threads: int) -> None:
    """In a new process: die with the one that started it, and share the cores."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads)


def _die_with_parent() -> None:
    wait_for_end([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _work(work: Callable[[int], None], job: int, report: Path) -> None:
    os.environ["SSR_PROGRESS_FILE"] = str(report)
    work(job)


def _watch(futures: list[Future], reports: Path, progress: Progress) -> None:
    """Show how far all jobs are, by the files that they report to."""
    pending = set(futures)
    while pending:
        pending = wait(pending, timeout=POLL_SECONDS).not_done
        counts = [int(f.read_text().split()[0]) for f in reports.iterdir() if f.suffix != ".tmp"]
        progress.update(sum(counts) - progress.done)
