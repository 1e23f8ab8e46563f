"""Jobs: their parts, locks, and processes that report, fail and end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.jobs import locked, part_of_job, run_processes, stamp
from espnet_ssr.progress import Progress


@given(st.integers(0, 200), st.integers(1, 9), st.integers(1, 30))
def test_parts_are_whole_shards_in_order(num_keys, num_jobs, shard_size):
    keys = [f"u{n}" for n in range(num_keys)]
    parts = [part_of_job(keys, job, num_jobs, shard_size) for job in range(1, num_jobs + 1)]
    assert [key for part in parts for key in part] == keys
    starts = [keys.index(part[0]) for part in parts if part]
    assert all(start % shard_size == 0 for start in starts)
    num_shards = [-(-len(part) // shard_size) for part in parts]
    assert max(num_shards) - min(num_shards) <= 1


def test_stamp_of_another_version(tmp_path):
    path = tmp_path / "file"
    path.write_text("a")
    before = stamp(path)
    assert stamp(path) == before
    path.write_text("bb")
    assert stamp(path) != before


def test_a_folder_is_locked_once(tmp_path):
    folder = tmp_path / "new" / "out"
    with (
        locked(folder),
        pytest.raises(RuntimeError, match="out is being written by another run"),
        locked(folder),
    ):
        pass
    with locked(folder):
        pass


def write_job(folder, job):
    """Work of processes: three steps."""
    progress = Progress(3, "work")
    progress.update(3)
    (folder / str(job)).write_text("done")
    if job == 2:
        raise ValueError("job 2 cannot")


def wait_forever(folder, job):
    """Work of processes that never ends."""
    (folder / str(os.getpid())).touch()
    time.sleep(600)


def test_one_job_is_this_process(tmp_path):
    def work(job):
        (tmp_path / str(job)).write_text(str(os.getpid()))

    run_processes(work, 1, 1, "work")
    assert (tmp_path / "1").read_text() == str(os.getpid())


RUN = """\
import sys
sys.path.insert(0, {folder!r})
from functools import partial
from pathlib import Path
import test_jobs
from espnet_ssr.jobs import run_processes
if __name__ == "__main__":
    run_processes(partial(test_jobs.{work}, Path(sys.argv[1])), 3, 9, "work")
"""


def start(work, tmp_path):
    """A process that runs the work in three others, and reports to ``tmp_path / progress``."""
    script = tmp_path / "run.py"
    script.write_text(RUN.format(folder=str(Path(__file__).parent), work=work))
    out = tmp_path / "out"
    out.mkdir()
    environment = {**os.environ, "SSR_PROGRESS_FILE": str(tmp_path / "progress")}
    command = [sys.executable, str(script), str(out)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True), out


@pytest.mark.slow
def test_processes_report_and_fail(tmp_path):
    process, out = start("write_job", tmp_path)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.splitlines()[-1] == "ValueError: job 2 cannot"
    assert sorted(path.name for path in out.iterdir()) == ["1", "2", "3"]
    assert (tmp_path / "progress").read_text() == "9 9\n"


@pytest.mark.slow
def test_processes_die_with_the_one_that_was_killed(tmp_path):
    process, out = start("wait_forever", tmp_path)
    deadline = time.monotonic() + 120
    while len(pids := [int(path.name) for path in out.iterdir()]) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while any(Path("/proc", str(pid), "exe").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)
