#!/usr/bin/env python3
"""Run one task of an array, on the node where a scheduler started it.

    utils/run_task.py FOLDER NUMBER ATTEMPT

Called by what slurm.py and sge.py submit. FOLDER/tasks.json tells what to run; the exit status goes
to FOLDER/done.NUMBER.ATTEMPT. A task that the scheduler ends leaves none: it may be put into the
queue again, or else the launcher learns from the scheduler that it is gone.
"""

import itertools
import os
import signal
import sys
import time
from pathlib import Path

from launcher.children import POLL_SECONDS, catch_signals, terminate
from launcher.processes import ProcessJob
from launcher.tasks import read_task

SETTLE_SECONDS = 0.5  # a scheduler tells all processes to end, and the command may hear it first


def main():
    """Run the task; returns the exit status for the scheduler, which is 0 if a result was left."""
    folder, number, attempt = sys.argv[1:]
    try:
        directory, environment, command, log = read_task(f"{folder}/tasks.json", number)
    except FileNotFoundError:
        sys.exit(f"run_task.py: the launcher of this task has ended ({folder} is gone)")
    # Grid Engine sends SIGUSR2 some time before it kills, and SIGUSR1 before it suspends.
    received = catch_signals(signal.SIGUSR2)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    os.chdir(directory)
    job = ProcessJob(int(number), command, log)
    forget_rendezvous(command)
    job.start({**srun_options(), **os.environ, **environment})
    while not job.poll() and not received:
        time.sleep(POLL_SECONDS)
    if job.code is not None and job.code > 128:
        time.sleep(SETTLE_SECONDS)
    if received:
        if job.code is None:
            terminate([job.child])
            job.poll()
        return 128 + received[0]
    write_result(f"{folder}/done.{number}.{attempt}", job.code)
    return 0


def srun_options():
    """Return variables with which srun ends all processes if one fails, as they would wait for it,
    and gives them the job's CPUs, as it does not by itself since Slurm 22.05."""
    options = {"SLURM_KILL_BAD_EXIT": "1"}
    if cpus := os.environ.get("SLURM_CPUS_PER_TASK"):
        options["SRUN_CPUS_PER_TASK"] = cpus
    return options


def forget_rendezvous(command):
    """Remove the file by which processes of a former attempt met."""
    for option, value in itertools.pairwise(command):
        if option == "--dist_init_method" and value.startswith("file://"):
            Path(value.removeprefix("file://")).unlink(missing_ok=True)


def write_result(path, code):
    """Write an exit status, whole or not at all."""
    with open(f"{path}.tmp", "w", encoding="ascii") as file:
        file.write(f"{code}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.tmp", path)


if __name__ == "__main__":
    sys.exit(main())
