"""Launchers run by tests, and processes that tests wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

UTILS = Path(__file__).parents[2] / "utils"
TEMPLATE = Path(__file__).parents[2] / "egs2" / "TEMPLATE" / "ssr1"
CONF = """\
command {command}
option mem=* --mem=$0
option num_threads=* --cpus $0
option gpu=* --gpus $0
option max_jobs_run=* -tc $0
default retries=1
"""
# Schedulers answer at once here.
QUICK = {
    "arrays.POLL_SECONDS": 0.02,
    "arrays.LOOK_SECONDS": 0.1,
    "arrays.SETTLE_SECONDS": 0.1,
    "arrays.LAG_SECONDS": 0.2,
}


def wait_for(condition, seconds=30):
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid):
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def read_pid(path):
    """The number in a file, once it is there."""
    wait_for(lambda: path.exists() and path.read_text().strip())
    return int(path.read_text())


def patched(launcher, constants):
    """The start of a command that runs a launcher with other constants of its modules."""
    changes = "".join(
        f"import launcher.{name.partition('.')[0]}; launcher.{name} = {value}; "
        for name, value in constants.items()
    )
    code = (
        f"import sys; sys.path.insert(0, {str(UTILS)!r}); {changes}"
        f"import {launcher}; sys.exit({launcher}.main())"
    )
    return [sys.executable, "-c", code]


def launch(launcher, *args, constants=None, **options):
    """Run a launcher to its end."""
    command = patched(launcher, constants or {})
    return subprocess.run(
        [*command, *map(str, args)], capture_output=True, text=True, check=False, **options
    )


class FakeCluster:
    """A folder in which fake_cluster.py keeps what is submitted."""

    def __init__(self, folder: Path, monkeypatch):
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        for name in ("sbatch", "squeue", "scancel", "qsub", "qstat", "qdel"):
            (folder / "bin" / name).symlink_to(Path(__file__).with_name("fake_cluster.py"))
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_CLUSTER", str(folder))

    def command(self, launcher: str, *args) -> list[str]:
        """The command that runs a launcher with a configuration."""
        program = {"slurm": "sbatch", "sge": "qsub -S /bin/sh"}[launcher]
        conf = self.folder / "queue.conf"
        conf.write_text(CONF.format(command=program))
        return [*patched(launcher, QUICK), "--config", str(conf), *map(str, args)]

    def launch(self, launcher: str, *args, **options) -> subprocess.CompletedProcess:
        """Run a launcher to its end."""
        command = self.command(launcher, *args)
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    def submissions(self) -> list[list[str]]:
        """What sbatch or qsub were called with."""
        lines = (self.folder / "submissions").read_text().splitlines()
        return [json.loads(line) for line in lines]
