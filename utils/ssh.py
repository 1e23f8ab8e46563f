#!/usr/bin/env python3
"""Run a command, or an array of numbered commands in parallel, on other machines by ssh.

    utils/ssh.py [options] exp/train.log python3 train.py --lr 0.1
    utils/ssh.py [options] JOB=1:8 exp/log/align.JOB.log align.py exp/split/wav.JOB.scp

    --config FILE       the machines, one a line, as ssh knows them (default: .queue/machines)
    --max-jobs-run N    at a time, on all machines together (default: all)
    --num-threads N     of a job, in OMP_NUM_THREADS and MKL_NUM_THREADS (default: cores of the
                        machine / jobs at a time on it)
    --gpu N             accepted; jobs see CUDA_VISIBLE_DEVICES as the machine has it
    --mem, --time       accepted, no effect

A job goes to the machine that has the fewest. ssh must log in without a password. The folder must
be one that all machines see. The environment goes along, and arguments reach the command as they
are. Progress and failures are shown as by run.py. If this launcher is stopped or killed, the jobs
end, too.
"""

import json
import os
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from launcher.call import parse_call, stop
from launcher.children import Child
from launcher.display import report
from launcher.processes import ProcessJob, run_processes
from launcher.tasks import portable_environment

PROGRAM = "ssh.py"
OPTIONS = ("config", "gpu", "max_jobs_run", "mem", "num_nodes", "num_threads", "time")
# A machine that does not answer any more is given up after 45 seconds.
SSH = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15"]
RUN_REMOTE = Path(__file__).resolve().parent / "run_remote.py"


class RemoteJob(ProcessJob):
    """A job on another machine, held by an ssh process of this one."""

    def start_on(self, machine, task):
        """Start the command on a machine; ``task`` is what run_remote.py is told besides it."""
        self.where, self.task = machine, task
        self.start(dict(os.environ))

    def start_child(self, environment, log):
        """Start ssh; the task goes by its stdin, whose end means that this launcher has ended."""
        remote = shlex.join(["exec", sys.executable, str(RUN_REMOTE)])
        command = [*SSH, self.where, remote]
        child = Child(
            command, environment, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
        )
        progress = {"SSR_PROGRESS_FILE": environment["SSR_PROGRESS_FILE"]}
        task = {
            **self.task,
            "command": self.command,
            "environment": {**portable_environment(), **progress},
        }
        with suppress(BrokenPipeError):  # ssh has failed, and says why in the log
            child.process.stdin.write(json.dumps(task).encode() + b"\n")
            child.process.stdin.flush()
        return child


def read_machines(path):
    """Return the machines that a file names."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        stop(PROGRAM, f"cannot read {path}: {error.strerror}; it lists machines, one a line")
    machines = [line.partition("#")[0].strip() for line in lines]
    machines = [machine for machine in machines if machine]
    if not machines:
        stop(PROGRAM, f"{path}: no machine in it")
    for machine in machines:
        if machine.startswith("-") or len(machine.split()) > 1:
            stop(PROGRAM, f"{path}: not the name of a machine: {machine}")
    return machines


def main():
    """Run the jobs; returns the exit status."""
    call = parse_call(PROGRAM, __doc__, sys.argv[1:], OPTIONS)
    if call.number_option("num_nodes", 1) > 1:
        stop(PROGRAM, "--num-nodes: one machine a job; see cmd_backend in cmd.sh for others")
    machines = read_machines(call.options.get("config", ".queue/machines"))
    jobs = call.make_jobs(RemoteJob)
    max_jobs = min(call.number_option("max_jobs_run", len(jobs)), len(jobs))
    task = {
        "folder": os.getcwd(),
        "jobs_at_a_time": -(-max_jobs // len(machines)),
        "threads": call.options.get("num_threads"),
    }

    def start(job):
        busy = [other.where for other in jobs if other.child and other.code is None]
        job.start_on(min(machines, key=busy.count), task)

    failed, number = run_processes(PROGRAM, jobs, max_jobs, start)
    return report(PROGRAM, jobs, failed, number)


if __name__ == "__main__":
    sys.exit(main())
