#!/usr/bin/env python3
"""Run a command on the machine to which ssh.py has logged in.

What to run comes as a line of JSON by stdin. When stdin ends, the launcher (or the connection) has
ended, and so do the command and what it started.
"""

import json
import os
import select
import sys

from launcher.children import POLL_SECONDS, CannotStart, Child, catch_signals, terminate
from launcher.tasks import count_cores, with_threads


def main():
    """Run the command; returns its exit status."""
    task = json.loads(sys.stdin.buffer.readline())
    try:
        os.chdir(task["folder"])
    except OSError as error:
        sys.exit(f"{os.uname().nodename} does not see {task['folder']}: {error.strerror}")
    threads = task["threads"] or max(1, count_cores() // task["jobs_at_a_time"])
    environment = with_threads({**os.environ, **task["environment"]}, threads)
    received = catch_signals()
    try:
        child = Child(task["command"], environment)
    except CannotStart as error:
        print(f"run_remote.py: {error}", file=sys.stderr)
        return error.code
    while child.poll() is None:
        ended, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
        if ended or received:
            terminate([child])
    return child.poll()


if __name__ == "__main__":
    sys.exit(main())
