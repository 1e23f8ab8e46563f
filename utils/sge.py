#!/usr/bin/env python3
"""Run a command, or an array of numbered commands, on a cluster with Grid Engine (SGE).

    utils/sge.py [options] exp/train.log python3 train.py --lr 0.1
    utils/sge.py [options] JOB=1:400 exp/log/align.JOB.log align.py exp/split/wav.JOB.scp

    --config FILE       what the other options become for qsub (default: conf/queue.conf)
    --gpu N, --mem SIZE, --num-threads N, --max-jobs-run N, and whatever FILE has a line for
    --retries N         how often jobs that failed or were killed are submitted again (default: 1)

It is one array; JOB becomes the number of the job wherever it stands in the log's name and the
arguments, which reach the command as they are, as does the environment. The folder must be one that
all nodes see. Progress and failures are shown as by run.py. If this launcher is stopped or killed,
the array is cancelled.
"""

import getpass
import os
import sys
import xml.etree.ElementTree as ElementTree

from launcher.arrays import KILLED, RUNNING, WAITING, ask, launch, ranges, submit
from launcher.call import parse_call
from launcher.queue_conf import queue_command

PROGRAM = "sge.py"
OWN_OPTIONS = ("config", "retries")


class GridEngine:
    """Grid Engine's commands."""

    program = PROGRAM
    task_variable = "SGE_TASK_ID"

    def __init__(self, call):
        self.qsub = queue_command(PROGRAM, call, "conf/queue.conf", OWN_OPTIONS)
        self.log = call.log_pattern("$TASK_ID")

    def submit(self, script, numbers):
        """Submit the script as arrays, as one of Grid Engine's is a single range; returns ids."""
        # -notify: tasks are told before they are killed, so that they can end what they started.
        command = [*self.qsub, "-terse", "-cwd", "-notify", "-j", "y", "-o", self.log, "-t"]
        answers = [submit([*command, span], script, os.environ) for span in ranges(numbers)]
        return [answer.split()[-1].split(".")[0] for answer in answers]

    def cancel(self, ids):
        """Return the command that ends arrays."""
        return ["qdel", *ids]

    def states(self, ids):
        """Return the state of each task that waits, runs or is stuck; None without an answer."""
        result = ask(["qstat", "-xml", "-u", getpass.getuser()], os.environ)
        if result is None or result.returncode != 0:
            return None
        states = {}
        for entry in ElementTree.fromstring(result.stdout).iter("job_list"):
            if entry.findtext("JB_job_number") in ids:
                word = entry.findtext("state")
                for number in parse_tasks(entry.findtext("tasks")):
                    states[number] = (classify(word), word)
        return states


def classify(word):
    """Return what a state of Grid Engine's means: "qw" waits, "Eqw" is an error and stays."""
    if "E" in word:
        return KILLED
    return WAITING if "qw" in word else RUNNING


def parse_tasks(text):
    """Return the numbers of "3", "4-10:2" or a list of these, separated by commas."""
    numbers = []
    for part in text.split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1, int(step or 1)))
    return numbers


def main():
    """Run the jobs; returns the exit status."""
    call = parse_call(PROGRAM, __doc__, sys.argv[1:], known=None)
    return launch(GridEngine(call), call)


if __name__ == "__main__":
    sys.exit(main())
