#!/usr/bin/env python3
"""Run a command, or an array of numbered commands, on a Slurm cluster.

    utils/slurm.py [options] exp/train.log python3 train.py --lr 0.1
    utils/slurm.py [options] JOB=1:400 exp/log/align.JOB.log align.py exp/split/wav.JOB.scp

    --config FILE       what the other options become for sbatch (default: conf/slurm.conf)
    --gpu N, --mem SIZE, --time T, --num-threads N, --num-nodes N, and whatever FILE has a line for
    --max-jobs-run N    at a time (default: all)
    --retries N         how often jobs that failed or were killed are submitted again (default: 1)

It is one array; JOB becomes the number of the job wherever it stands in the log's name and the
arguments, which reach the command as they are, as does the environment. The folder must be one that
all nodes see. Progress and failures are shown as by run.py. If this launcher is stopped or killed,
the array is cancelled.

The file is also called slurm.pl, as espnet2.bin.launch starts several nodes by srun for that name.
"""

import os
import sys

from launcher.arrays import GONE, KILLED, RUNNING, WAITING, ask, launch, ranges, submit
from launcher.call import parse_call
from launcher.queue_conf import queue_command

PROGRAM = "slurm.py"
OWN_OPTIONS = ("config", "max_jobs_run", "retries")
IS_WAITING = {"CONFIGURING", "PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"}
IS_KILLED = {
    "BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
    "REVOKED", "TIMEOUT",
}  # fmt: skip
UNKNOWN_JOB = "Invalid job id"


class Slurm:
    """Slurm's commands."""

    program = PROGRAM
    task_variable = "SLURM_ARRAY_TASK_ID"

    def __init__(self, call):
        self.sbatch = queue_command(PROGRAM, call, "conf/slurm.conf", OWN_OPTIONS)
        self.log = call.log_pattern("%a", ("%", "%%"))
        self.limit = f"%{call.options['max_jobs_run']}" if "max_jobs_run" in call.options else ""
        # If this runs inside of a Slurm job, its variables are options for sbatch.
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SLURM_") or name == "SLURM_CONF"
        }

    def submit(self, script, numbers):
        """Submit the script as one array; returns its id."""
        command = [
            *self.sbatch,
            "--parsable",
            f"--array={','.join(ranges(numbers))}{self.limit}",
            f"--output={self.log}",
            "--open-mode=append",
            f"--chdir={os.getcwd()}",
        ]
        return [submit(command, script, self.environment).split(";")[0]]

    def cancel(self, ids):
        """Return the command that ends arrays."""
        return ["scancel", "--quiet", *ids]

    def states(self, ids):
        """Return the state of each task that Slurm still knows, or None if it does not answer."""
        command = ["squeue", "--noheader", "--array", "--states=all", "--format=%K %T"]
        result = ask([*command, f"--jobs={','.join(ids)}"], self.environment)
        if result is None or (result.returncode and UNKNOWN_JOB not in result.stderr):
            return None
        tasks = (line.split() for line in result.stdout.splitlines())
        return {int(number): (classify(word), word) for number, word in tasks}


def classify(word):
    """Return what a state of Slurm's means; a task without a result that "failed" was killed."""
    if word in IS_WAITING:
        return WAITING
    if word in IS_KILLED:
        return KILLED
    return GONE if word == "COMPLETED" else RUNNING


def main():
    """Run the jobs; returns the exit status."""
    call = parse_call(PROGRAM, __doc__, sys.argv[1:], known=None)
    return launch(Slurm(call), call)


if __name__ == "__main__":
    sys.exit(main())
