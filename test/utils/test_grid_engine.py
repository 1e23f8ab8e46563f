"""utils/sge.py on a real Grid Engine."""

import signal
import subprocess

import grid_engine
import pytest
from launching import TEMPLATE, is_running, launch, patched, read_pid, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(grid_engine.why_not()), reason=str(grid_engine.why_not())),
]
CONF = ["--config", TEMPLATE / "conf" / "queue.conf"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A Grid Engine that commands find."""
    engine = grid_engine.GridEngine(tmp_path_factory.mktemp("sge"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in engine.environment.items():
            monkeypatch.setenv(name, value)
        yield engine
    engine.stop()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder of a test."""
    (tmp_path / "work, 'folder'").mkdir()
    monkeypatch.chdir(tmp_path / "work, 'folder'")
    return tmp_path / "work, 'folder'"


def test_failed_tasks_alone_are_submitted_again(engine, folder):
    script = 'echo "$0 $1"; case $0 in [25]) test -e $0 || { touch $0; exit 7; };; esac'
    odd = "a 'b' \"$HOME\"\n`id` ü"
    result = launch("sge", *CONF, "JOB=1:6", "log/l.JOB.log", "sh", "-c", script, "JOB", odd)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert "sge.py: 2 of 6 jobs failed (2,5), see log/l.2.log.1; once more" in result.stderr
    assert f"\n5 {odd}\n# Ended (code 0)" in (folder / "log/l.5.log").read_text()
    assert f"\n5 {odd}\n# Ended (code 7)" in (folder / "log/l.5.log.1").read_text()
    assert len(list((folder / "log").iterdir())) == 8


def test_deleted_task(engine, folder):
    script = "test $0 = 1 || test -e l.2.log.1 || { echo $$ > new; mv new pid; sleep 600; }"
    command = [*CONF, "JOB=1:2", "l.JOB.log", "sh", "-c", script, "JOB"]
    constants = {"arrays.LAG_SECONDS": 2, "arrays.LOOK_SECONDS": 1}
    process = subprocess.Popen([*patched("sge", constants), *command], stderr=subprocess.PIPE)
    pid = read_pid(folder / "pid")
    array = engine.run("qstat").stdout.splitlines()[-1].split()[0]
    engine.run("qdel", array, "-t", "2")
    _, message = process.communicate(timeout=120)
    assert process.returncode == 0
    assert b"1 of 2 jobs failed (2), see l.2.log.1; once more" in message
    assert "no result, not in the queue any more" in (folder / "l.2.log.1").read_text()
    assert not is_running(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_tasks_end_with_the_launcher(engine, folder, number):
    script = "sleep 600 & echo $! > new; mv new child; echo $$ > parent; wait"
    command = [*patched("sge", {}), *CONF, "l.log", "sh", "-c", script]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as launcher:
        pids = [read_pid(folder / name) for name in ("child", "parent")]
        launcher.send_signal(number)
    wait_for(lambda: not any(map(is_running, pids)))
