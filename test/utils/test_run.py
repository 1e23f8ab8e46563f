"""utils/run.py: jobs, their logs, progress, failures and interruptions."""

import os
import re
import signal
import subprocess
import sys

import pytest
from launching import UTILS, is_running, patched, wait_for

RUN = UTILS / "run.py"


def launch(*args, **options):
    """Run the launcher to its end."""
    command = [sys.executable, RUN, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_one_command(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # which the user's own would win over
    log = tmp_path / "new folder" / "a.log"
    result = launch(
        "--gpu", "0", "--num-threads", "3", log, "sh", "-c", "echo $OMP_NUM_THREADS; echo e >&2"
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    lines = log.read_text().splitlines()
    assert lines[0] == "# sh -c 'echo $OMP_NUM_THREADS; echo e >&2'"
    assert lines[1].startswith(f"# Started on {os.uname().nodename} at ")
    assert lines[3:5] == ["3", "e"]
    assert lines[5].startswith("# Ended (code 0) at ")
    assert lines[5].endswith(" s")


def test_job_number_is_put_everywhere(tmp_path):
    result = launch("JOB=2:4", tmp_path / "l.JOB.log", "echo", "in.JOB.scp", "JOB-JOB")
    assert result.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.2.log", "l.3.log", "l.4.log"]
    assert "\nin.3.scp 3-3\n" in (tmp_path / "l.3.log").read_text()


@pytest.mark.parametrize(
    "odd", ["a  b", "$HOME", "`id`", "*", "'", '"', "\\", "; exit 3", "ü\n", ""]
)
def test_arguments_see_no_shell(tmp_path, odd):
    show = "import sys; open(sys.argv[1], 'w', newline='').write(sys.argv[2])"
    assert (
        launch(tmp_path / "a.log", sys.executable, "-c", show, tmp_path / "out", odd).returncode
        == 0
    )
    assert (tmp_path / "out").read_text() == odd


def test_given_threads_stay(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "7"}
    environment.pop("MKL_NUM_THREADS", None)
    command = ["sh", "-c", "echo $OMP_NUM_THREADS $MKL_NUM_THREADS"]
    launch("--num_threads", "2", tmp_path / "a.log", *command, env=environment)
    assert "\n7 2\n" in (tmp_path / "a.log").read_text()


def test_failure_shows_the_first_failing_log(tmp_path):
    script = "for i in $(seq 30); do echo line $i of $0; done; test $0 != 2 && touch done.$0"
    result = launch("JOB=1:3", tmp_path / "l.JOB.log", "sh", "-c", script, "JOB", cwd=tmp_path)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0] == f"run.py: 1 of 3 jobs failed; the end of {tmp_path / 'l.2.log'}:"
    assert len(lines) == 21
    assert lines[-2] == "line 30 of 2"
    assert lines[-1].startswith("# Ended (code 1) at ")
    assert (tmp_path / "done.1").exists()
    assert (tmp_path / "done.3").exists()


def test_killed_job_is_a_failure(tmp_path):
    result = launch(tmp_path / "a.log", "sh", "-c", "printf unfinished; kill -9 $$")
    assert result.returncode == 1
    assert "\nunfinished\n# Ended (code 137) at " in (tmp_path / "a.log").read_text()


def test_unknown_command(tmp_path):
    result = launch(tmp_path / "a.log", "no-such-command", "x")
    assert result.returncode == 1
    assert "run.py: command not found: no-such-command\n" in result.stderr
    result = launch(tmp_path / "a.log", tmp_path)
    assert result.returncode == 1
    assert f"run.py: cannot run {tmp_path}: Permission denied" in result.stderr


def test_max_jobs_run(tmp_path):
    # Each job fails if the other one is running.
    script = "mkdir lock && sleep 0.1 && rmdir lock"
    args = ["JOB=1:3", tmp_path / "l.JOB.log", "sh", "-c", script]
    assert launch("--max-jobs-run", "1", *args, cwd=tmp_path).returncode == 0


def test_progress_is_shown_and_removed(tmp_path):
    # Work that is resumed: 90 steps are old, and must not count for the rate.
    report = "echo {} 100 > $SSR_PROGRESS_FILE.new; mv $SSR_PROGRESS_FILE.new $SSR_PROGRESS_FILE"
    script = f"{report.format(90)}; sleep 0.8; {report.format(91)}; sleep 0.8"
    log = tmp_path / "l.JOB.log"
    command = [*patched("run", {"display.PLAIN_SECONDS": 0.2}), "JOB=1:2", log, "sh", "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"^run.py: 0/2 jobs ended, 0:00:0\d, 180/200$", result.stderr, re.MULTILINE)
    rates = re.findall(r"182/200, ([\d.]+)/s, 0:\d\d:\d\d left\n", result.stderr)
    assert rates and all(float(rate) < 10 for rate in rates)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.1.log", "l.2.log"]


def test_jobs_that_ignore_termination_are_killed(tmp_path):
    script = "trap '' TERM; echo $$ > pid; while true; do sleep 0.05; done"
    constants = {"children.GRACE_SECONDS": 0.2}
    command = [*patched("run", constants), tmp_path / "l.log", "sh", "-c", script]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as launcher:
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
        launcher.terminate()
        assert launcher.wait(timeout=10) == 143
    assert not is_running(int((tmp_path / "pid").read_text()))
    assert "# Ended (code 137) at " in (tmp_path / "l.log").read_text()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_interruption_ends_all_processes(tmp_path, number, status):
    script = "trap wait TERM; sleep 60 & echo $! > child.$0; echo $$ > parent.$0; wait"
    command = [sys.executable, RUN, "JOB=1:2", tmp_path / "l.JOB.log", "sh", "-c", script, "JOB"]
    names = ["child.1", "child.2", "parent.1", "parent.2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as launcher:
        wait_for(lambda: all((tmp_path / name).exists() for name in names))
        wait_for(lambda: all((tmp_path / name).read_text().strip() for name in names))
        launcher.send_signal(number)
        _, message = launcher.communicate(timeout=10)
    assert launcher.returncode == status
    assert message == f"run.py: {number.name}, all jobs stopped\n"
    pids = [int((tmp_path / name).read_text()) for name in names]
    wait_for(lambda: not any(map(is_running, pids)))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children")
def test_jobs_die_with_the_launcher(tmp_path):
    command = [sys.executable, RUN, tmp_path / "l.log", "sh", "-c", "echo $$ > pid; exec sleep 60"]
    with subprocess.Popen(command, cwd=tmp_path) as launcher:
        wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
        launcher.kill()
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_running(pid))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "a log and a command are needed"),
        (["JOB=1:2", "l.JOB.log"], "a log and a command are needed"),
        (["JOB=3:1", "l.JOB.log", "true"], "no jobs in JOB=3:1"),
        (["JOB=1:2", "l.log", "true"], "jobs would share the log"),
        (["JOB=0:1", "l.JOB.log", "true"], "the first job is 1"),
        (["--max-jobs-run", "0", "l.log", "true"], "--max-jobs-run must be 1 or more"),
        (["--num_threads=x", "l.log", "true"], "--num-threads must be 1 or more, not x"),
        (["--max-jobs", "2", "l.log", "true"], "unknown option --max-jobs; there are --gpu"),
        (["--mem"], "--mem needs a value"),
        (["--num_nodes", "2", "l.log", "true"], "--num-nodes: this is one machine"),
    ],
)
def test_wrong_calls(tmp_path, args, message):
    result = launch(*args, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr


def test_mem_is_noted(tmp_path):
    result = launch("--mem", "4G", tmp_path / "a.log", "true")
    assert result.returncode == 0
    assert "--mem 4G has no effect" in result.stderr


def test_logs_of_former_retries_are_removed(tmp_path):
    for name in ("a.log", "a.log.1", "a.log.bak", "b.log.1"):
        (tmp_path / name).write_text("old")
    assert launch(tmp_path / "a.log", "true").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.bak", "b.log.1"]
    assert "old" not in (tmp_path / "a.log").read_text()


def test_help():
    result = launch("--help")
    assert result.returncode == 0
    assert "--max-jobs-run N    at a time" in result.stdout
