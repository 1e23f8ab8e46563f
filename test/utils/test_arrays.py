"""What slurm.py and sge.py share, on a fake cluster: arrays, retries, lost tasks, interruptions."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from launcher.arrays import ranges
from launching import QUICK, is_running, read_pid, wait_for

ODD = ["a  b", "$HOME", "`id`", "*", "'", '"', "\\", "; exit 3", "ü\n#", "", "%a $TASK_ID", "-n"]
LAUNCHERS = pytest.mark.parametrize("launcher", ["slurm", "sge"])


@given(st.sets(st.integers(1, 50), min_size=1))
def test_ranges(numbers):
    found = []
    for span in ranges(sorted(numbers)):
        first, _, last = span.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    assert found == sorted(numbers)
    assert len(ranges(sorted(numbers))) == sum(n - 1 not in numbers for n in numbers)


@LAUNCHERS
def test_arguments_environment_and_folder_reach_the_command(
    cluster, launcher, tmp_path, monkeypatch
):
    folder = tmp_path / "work $HOME 100%"
    folder.mkdir()
    monkeypatch.setenv("SSR_ODD", ODD[8])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "of the launcher's machine")
    show = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))"
    log = "new folder/l.JOB.log"
    command = [sys.executable, "-c", show, "JOB", *ODD]
    options = ["--num-threads", 7, "--gpu", 2, "--num_threads", 1]
    result = cluster.launch(launcher, *options, "JOB=1:2", log, *command, cwd=folder)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    for number in ("1", "2"):
        lines = (folder / f"new folder/l.{number}.log").read_text().splitlines()
        assert lines[-1].startswith("# Ended (code 0) at ")
        arguments, environment, cwd = json.loads(lines[-2])
        assert arguments == [number, *ODD]
        assert cwd == str(folder)
        assert environment["SSR_ODD"] == ODD[8]
        assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"
        assert environment["CUDA_VISIBLE_DEVICES"] == f"task {number}"
    assert os.listdir(folder / "new folder") in (["l.1.log", "l.2.log"], ["l.2.log", "l.1.log"])


@LAUNCHERS
def test_one_job_without_a_number(cluster, launcher, tmp_path):
    assert cluster.launch(launcher, tmp_path / "JOB.log", "echo", "JOB").returncode == 0
    assert "\nJOB\n" in (tmp_path / "JOB.log").read_text()


@LAUNCHERS
def test_failed_tasks_alone_are_submitted_again(cluster, launcher, tmp_path):
    script = "case $0 in [235]) test -e tried.$0 || { touch tried.$0; exit 7; };; esac"
    log = tmp_path / "l.JOB.log"
    result = cluster.launch(launcher, "JOB=1:5", log, "sh", "-c", script, "JOB", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr == (
        f"{launcher}.py: 3 of 5 jobs failed (2-3,5), see {tmp_path}/l.2.log.1; "
        "once more, attempt 2 of 2\n"
    )
    flag = {"slurm": "--array", "sge": "-t"}[launcher]
    spans = [
        word.removeprefix(f"{flag}=")
        for submission in cluster.submissions()
        for before, word in zip(submission, submission[1:], strict=False)
        if word.startswith(f"{flag}=") or before == flag
    ]
    assert spans == {"slurm": ["1-5", "2-3,5"], "sge": ["1-5", "2-3", "5"]}[launcher]
    assert "# Ended (code 7)" in (tmp_path / "l.5.log.1").read_text()
    assert "# Ended (code 0)" in (tmp_path / "l.5.log").read_text()
    assert not (tmp_path / "l.1.log.1").exists()


@LAUNCHERS
def test_no_success(cluster, launcher, tmp_path):
    (tmp_path / "l.2.log.1").write_text("of a former run")
    script = "for i in $(seq 30); do echo line $i of $0; done; test $0 != 2"
    args = ["--retries", 2, "JOB=1:3", "l.JOB.log", "sh", "-c", script, "JOB"]
    result = cluster.launch(launcher, *args, cwd=tmp_path)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert [line.partition("; ")[2] for line in lines[:2]] == [
        "once more, attempt 2 of 3",
        "once more, attempt 3 of 3",
    ]
    assert lines[2] == f"{launcher}.py: 1 of 3 jobs failed; the end of l.2.log:"
    assert lines[-2] == "line 30 of 2"
    logs = sorted(path.name for path in tmp_path.glob("l.*"))
    assert logs == ["l.1.log", "l.2.log", "l.2.log.1", "l.2.log.2", "l.3.log"]
    assert "of a former run" not in (tmp_path / "l.2.log.1").read_text()


def start(cluster, launcher, tmp_path, script):
    """A launcher of two jobs, once both run, and the pids of their commands."""
    script = f"echo $$ > new.$0; mv new.$0 pid.$0; {script}"
    command = cluster.command(launcher, "JOB=1:2", "l.JOB.log", "sh", "-c", script, "JOB")
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    return process, [read_pid(tmp_path / f"pid.{number}") for number in (1, 2)]


@LAUNCHERS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_tasks_end_with_the_launcher(cluster, launcher, tmp_path, number):
    process, pids = start(cluster, launcher, tmp_path, "exec sleep 60")
    process.send_signal(number)
    _, message = process.communicate(timeout=30)
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert message == f"{launcher}.py: {signal.Signals(number).name}, all jobs stopped\n"
    wait_for(lambda: not any(map(is_running, pids)))
    wait_for(lambda: not list(tmp_path.glob(f".{launcher}.py.*")))


@LAUNCHERS
def test_killed_task(cluster, launcher, tmp_path):
    """It left no result, and the scheduler knows; it is asked again if it does not answer."""
    (cluster.folder / "out_of_order").touch()
    script = "test $0 = 1 || test -e l.2.log.1 || exec sleep 60"
    process, _ = start(cluster, launcher, tmp_path, script)
    os.killpg(read_pid(cluster.folder / "1.2/pid"), signal.SIGKILL)
    (cluster.folder / "1.2/state").write_text("NODE_FAIL")
    if launcher == "sge":
        (cluster.folder / "1.2/hidden").touch()
    (cluster.folder / "out_of_order").unlink()
    _, message = process.communicate(timeout=30)
    assert process.returncode == 0
    assert message.startswith(f"{launcher}.py: 1 of 2 jobs failed (2), see l.2.log.1; once more")
    word = {"slurm": "NODE_FAIL", "sge": "not in the queue any more"}[launcher]
    assert f"\n# {launcher}.py: no result, {word}\n" in (tmp_path / "l.2.log.1").read_text()
    assert "# Ended (code 0)" in (tmp_path / "l.2.log").read_text()
    assert len(cluster.submissions()) == 2


@LAUNCHERS
def test_progress_is_added_up(cluster, launcher, tmp_path, monkeypatch):
    monkeypatch.setitem(QUICK, "display.PLAIN_SECONDS", 0.1)
    report = "echo 10 50 > $SSR_PROGRESS_FILE.new; mv $SSR_PROGRESS_FILE.new $SSR_PROGRESS_FILE"
    script = f"{report}; sleep 0.6"
    result = cluster.launch(launcher, "JOB=1:2", "l.JOB.log", "sh", "-c", script, cwd=tmp_path)
    assert re.search(rf"^{launcher}.py: ./2 jobs ended, 0:00:0., 20/100$", result.stderr, re.M)
    assert not list(tmp_path.glob(".*"))
