"""What a job on another machine is told: folder, environment, threads, log and command."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from launcher.call import Job

# They belong to a user, a machine, a login or a place in a queue, and are not taken to another.
USER = {"HOME", "LOGNAME", "SHELL", "USER"}
OWN = USER | {
    "CUDA_VISIBLE_DEVICES", "DISPLAY", "GPU_DEVICE_ORDINAL", "HOSTNAME", "JOB_ID", "NSLOTS",
    "OLDPWD", "PE_HOSTFILE", "PWD", "ROCR_VISIBLE_DEVICES", "SHLVL", "TERM", "TMP", "TMPDIR",
    "XAUTHORITY",
}  # fmt: skip
OWN_PREFIXES = ("DBUS_", "SGE_", "SLURM_", "SLURMD_", "SRUN_", "SSH_", "XDG_")


def portable_environment() -> dict[str, str]:
    """This process's environment, without what belongs to this machine."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in OWN and not name.startswith(OWN_PREFIXES)
    }


def count_cores() -> int:
    """The number of cores that this process may use (all of them, outside of Linux)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def with_threads(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """An environment with this number of threads, unless it has its own."""
    return {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), **environment}


def write_tasks(path: str, jobs: Sequence[Job], threads: int) -> None:
    """Write what the tasks of an array are told.

    It goes by a file, and not by a script, so that arguments reach commands as they are. The file
    is in a folder that no other user can read, as the environment may hold secrets.
    """
    tasks = {str(job.number): {"log": job.log, "command": job.command} for job in jobs}
    # A cluster's nodes know the user, but "sbatch --export=PATH" leaves that out.
    user = {name: os.environ[name] for name in USER if name in os.environ}
    environment = with_threads({**user, **portable_environment()}, threads)
    description = {"folder": os.getcwd(), "environment": environment, "tasks": tasks}
    with open(path, "w", encoding="ascii") as file:
        json.dump(description, file)


def read_task(path: str, number: str) -> tuple[str, dict[str, str], list[str], str]:
    """Folder, environment, command and log of a task."""
    with open(path, encoding="ascii") as file:
        description = json.load(file)
    task = description["tasks"][number]
    return description["folder"], description["environment"], task["command"], task["log"]
