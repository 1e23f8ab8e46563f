#!/usr/bin/env python3
"""Run a command, or an array of numbered commands in parallel, on this machine.

    utils/run.py [options] exp/train.log python3 train.py --lr 0.1
    utils/run.py [options] JOB=1:4 exp/log/align.JOB.log align.py exp/split/wav.JOB.scp

JOB becomes the number of the job wherever it stands in the log's name and the arguments. Arguments
reach the command as they are, without a shell. What a job prints goes to its log. A job may write
"done total" to the file that SSR_PROGRESS_FILE names (under another name, then renamed); the sums
over the jobs are shown while they run. If jobs fail, the others finish, and the end of the first
failing log is shown.
"""

import argparse
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time

POLL_SECONDS = 0.05
LIVE_SECONDS = 1
PLAIN_SECONDS = 15
GRACE_SECONDS = 5
TAIL_LINES = 20
TAIL_COLUMNS = 500
TAIL_BYTES = 65536
PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def timestamp():
    """Return the local time for a log."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


class Job:
    """One command with its log and progress file; `code` is its exit status once it ended."""

    def __init__(self, command, log):
        folder, name = os.path.split(log)
        self.command = command
        self.log = log
        # Named after the log, so that two launchers can use one folder at a time.
        self.progress_file = os.path.join(folder, f".progress.{os.path.splitext(name)[0]}")
        self.process = None
        self.code = None
        self.resumed = None  # steps that were done before, as the job first reported

    def start(self, environment, die_with_parent):
        """Start the command; `code` is set at once if that is impossible."""
        os.makedirs(os.path.dirname(self.log) or ".", exist_ok=True)
        self.remove_progress()
        self.started = time.monotonic()
        # Appending, so that no writer overwrites what another process of the job wrote.
        self.file = os.open(self.log, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
        self.write(f"# {shlex.join(self.command)}")
        self.write(f"# Started on {os.uname().nodename} at {timestamp()}\n#")
        try:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=self.file,
                stderr=subprocess.STDOUT,
                env={**environment, "SSR_PROGRESS_FILE": os.path.abspath(self.progress_file)},
                start_new_session=True,
                preexec_fn=die_with_parent,  # safe: there are no threads here
            )
        except FileNotFoundError:
            self.write(f"run.py: command not found: {self.command[0]}")
            self.finish(127)
        except OSError as error:
            self.write(f"run.py: cannot run {self.command[0]}: {error.strerror}")
            self.finish(126)

    def write(self, text):
        """Write lines to the log, on a line of their own whatever the command wrote."""
        size = os.fstat(self.file).st_size
        if size and os.pread(self.file, 1, size - 1) != b"\n":
            text = "\n" + text
        os.write(self.file, f"{text}\n".encode("utf-8", "surrogateescape"))

    def poll(self):
        """Whether the job has ended; its log is completed when it has."""
        if self.code is None and self.process.poll() is not None:
            code = self.process.returncode
            self.finish(code if code >= 0 else 128 - code)
        return self.code is not None

    def finish(self, code):
        """Note the exit status and complete the log."""
        self.code = code
        elapsed = time.monotonic() - self.started
        self.write(f"# Ended (code {code}) at {timestamp()}, elapsed {elapsed:.1f} s")
        os.close(self.file)

    def read_progress(self):
        """Return what the job last reported, (done, total), or None if it did not."""
        try:
            with open(self.progress_file, encoding="ascii") as file:
                done, total = map(int, file.read().split())
        except (OSError, ValueError):
            return None
        if self.resumed is None:
            self.resumed = done
        return done, total

    def remove_progress(self):
        """Remove the progress file, if there is one."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.progress_file)

    def signal_group(self, number):
        """Send a signal to the job and what it started; returns whether there was any process."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


class Display:
    """One line about the progress of all jobs: live on a terminal, now and then elsewhere."""

    def __init__(self, jobs):
        self.jobs = jobs
        self.is_live = sys.stderr.isatty()
        self.started = self.shown = time.monotonic()
        self.first_report = None  # seconds until a job reported

    def update(self):
        """Show the line if it is time to."""
        now = time.monotonic()
        if self.first_report is None and self.count_steps():
            self.first_report = now - self.started
        if now - self.shown >= (LIVE_SECONDS if self.is_live else PLAIN_SECONDS):
            self.shown = now
            start, end = ("\r\x1b[K", "") if self.is_live else ("", "\n")
            line = start + self.describe(now - self.started)
            print(line, end=end, file=sys.stderr, flush=True)

    def describe(self, elapsed):
        """Return the line after `elapsed` seconds."""
        ended = sum(job.code is not None for job in self.jobs)
        line = f"run.py: {ended}/{len(self.jobs)} jobs ended, {format_time(elapsed)}"
        counts = self.count_steps()
        if counts and self.first_report is not None:
            done, total = counts
            line += f", {done}/{total}"
            # Work that is resumed is not fast work.
            new = done - sum(job.resumed or 0 for job in self.jobs)
            if new > 0:
                rate = new / (elapsed - self.first_report)
                line += f", {rate:.1f}/s, {format_time(max(total - done, 0) / rate)} left"
        return line

    def count_steps(self):
        """Return the steps done and their total over all jobs, or None if no job reported any."""
        reports = [report for report in (job.read_progress() for job in self.jobs) if report]
        if not reports:
            return None
        # Jobs that did not report yet are taken to be as large as those that did.
        total = sum(report[1] for report in reports) * len(self.jobs) // len(reports)
        return sum(report[0] for report in reports), total

    def clear(self):
        """Remove the live line."""
        if self.is_live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def format_time(seconds):
    """Return seconds as h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def make_death_wish(number):
    """Return a function that has its caller sent a signal when its parent dies.

    Children call it, so that they die if the launcher is killed, and so does the launcher, for the
    script that called it. Returns None where the system has no such thing (it is Linux's).
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, number)


def terminate(jobs):
    """End the running jobs and what they started: politely first, then not."""
    groups = [job for job in jobs if job.process is not None and job.code is None]
    for job in groups:
        job.signal_group(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while groups and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        groups = [job for job in groups if not job.poll() or job.signal_group(0)]
    for job in groups:
        job.signal_group(signal.SIGKILL)
        job.process.wait()
        job.poll()


def run_jobs(jobs, max_jobs, environment):
    """Run jobs, at most `max_jobs` at a time.

    Returns:
        The failed jobs in the order of their failures, and the signal that ended it all or None.
    """
    received = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup ignores SIGHUP, and is meant to.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: received.append(number))
    die_with_parent = make_death_wish(signal.SIGKILL)
    if stop_with_parent := make_death_wish(signal.SIGTERM):
        stop_with_parent()
    waiting, running, failed = jobs[::-1], [], []
    display = Display(jobs)
    while (waiting or running) and not received:
        while waiting and len(running) < max_jobs and not received:
            running.append(waiting.pop())
            running[-1].start(environment, die_with_parent)
        ended = [job for job in running if job.poll()]
        failed.extend(job for job in ended if job.code != 0)
        running = [job for job in running if job.code is None]
        display.update()
        if not ended:
            time.sleep(POLL_SECONDS)
    display.clear()
    terminate(running)
    for job in jobs:
        job.remove_progress()
    return failed, received[0] if received else None


def read_tail(path):
    """Return the last lines of a log."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - TAIL_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    cut = (f"{line[:TAIL_COLUMNS]} ..." if len(line) > TAIL_COLUMNS else line for line in lines)
    return "\n".join(list(cut)[-TAIL_LINES:])


def parse_arguments():
    """Parse the command line; returns the options and the jobs."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="run.py [options] [JOB=1:N] log command [argument ...]",
        allow_abbrev=False,  # "--num 3" may be the command's
    )
    parser.add_argument(
        "--gpu", type=int, metavar="N", help="accepted; jobs see CUDA_VISIBLE_DEVICES as it is"
    )
    parser.add_argument("--mem", metavar="SIZE", help="accepted, no effect on one machine")
    parser.add_argument(
        "--max-jobs-run", "--max_jobs_run", type=int, metavar="N", help="at a time (default: all)"
    )
    parser.add_argument(
        "--num-threads",
        "--num_threads",
        type=int,
        metavar="N",
        help="of a job, in OMP_NUM_THREADS and MKL_NUM_THREADS (default: cores / jobs at a time)",
    )
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    args = parser.parse_args()
    words = args.words
    for option in ("max_jobs_run", "num_threads"):
        value = getattr(args, option)
        if value is not None and value < 1:
            parser.error(f"--{option.replace('_', '-')} must be 1 or more, not {value}")
    array = re.fullmatch(r"([A-Za-z_]\w*)=(\d+)(?::(\d+))?", words[0]) if words else None
    if len(words) < (3 if array else 2):
        parser.error("a log and a command are needed")
    if not array:
        return args, [Job(words[1:], words[0])]
    name, first, last = array[1], int(array[2]), int(array[3] or array[2])
    if first > last:
        parser.error(f"no jobs in {words[0]}")
    if name not in words[1] and first < last:
        parser.error(f"{words[1]}: without {name} in its name, jobs would share the log")
    numbered = ([word.replace(name, str(n)) for word in words[1:]] for n in range(first, last + 1))
    return args, [Job(words[1:], words[0]) for words in numbered]


def count_cores():
    """Return the number of cores that this process may use (all of them, outside of Linux)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def main():
    """Run the jobs; returns the exit status."""
    args, jobs = parse_arguments()
    if args.mem is not None:
        print(f"run.py: note: --mem {args.mem} has no effect on one machine", file=sys.stderr)
    max_jobs = min(args.max_jobs_run or len(jobs), len(jobs))
    threads = str(args.num_threads or max(1, count_cores() // max_jobs))
    environment = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, **os.environ}
    failed, number = run_jobs(jobs, max_jobs, environment)
    if number is not None:
        print(f"run.py: {signal.Signals(number).name}, all jobs stopped", file=sys.stderr)
        return 128 + number
    if failed:
        print(
            f"run.py: {len(failed)} of {len(jobs)} jobs failed; the end of {failed[0].log}:\n"
            f"{read_tail(failed[0].log)}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
