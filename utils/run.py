#!/usr/bin/env python3
"""Run a command, or an array of numbered commands in parallel, on this machine.

    utils/run.py [options] exp/train.log python3 train.py --lr 0.1
    utils/run.py [options] JOB=1:4 exp/log/align.JOB.log align.py exp/split/wav.JOB.scp

    --max-jobs-run N    at a time (default: all)
    --num-threads N     of a job, in OMP_NUM_THREADS and MKL_NUM_THREADS (default: cores / jobs at
                        a time)
    --gpu N             accepted; jobs see CUDA_VISIBLE_DEVICES as it is
    --mem, --time       accepted, no effect on one machine

JOB becomes the number of the job wherever it stands in the log's name and the arguments. Arguments
reach the command as they are, without a shell. What a job prints goes to its log. A job may write
"done total" to the file that SSR_PROGRESS_FILE names (under another name, then renamed); the sums
over the jobs are shown while they run. If jobs fail, the others finish, and the end of the first
failing log is shown.
"""

import os
import sys

from launcher.call import parse_call, stop
from launcher.display import report
from launcher.processes import ProcessJob, run_processes
from launcher.tasks import count_cores, with_threads

PROGRAM = "run.py"
OPTIONS = ("gpu", "max_jobs_run", "mem", "num_nodes", "num_threads", "time")


def main():
    """Run the jobs; returns the exit status."""
    call = parse_call(PROGRAM, __doc__, sys.argv[1:], OPTIONS)
    for option in ("mem", "time"):
        if option in call.options:
            value = call.options[option]
            print(
                f"{PROGRAM}: note: --{option} {value} has no effect on one machine",
                file=sys.stderr,
            )
    if call.number_option("num_nodes", 1) > 1:
        stop(PROGRAM, "--num-nodes: this is one machine; see cmd_backend in cmd.sh for others")
    jobs = call.make_jobs(ProcessJob)
    max_jobs = min(call.number_option("max_jobs_run", len(jobs)), len(jobs))
    threads = call.number_option("num_threads", max(1, count_cores() // max_jobs))
    environment = with_threads(os.environ, threads)
    failed, number = run_processes(PROGRAM, jobs, max_jobs, lambda job: job.start(environment))
    return report(PROGRAM, jobs, failed, number)


if __name__ == "__main__":
    sys.exit(main())
