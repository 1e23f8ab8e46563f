"""utils/slurm.py: what it tells Slurm, and what it makes of the answers; see test_arrays.py."""

import os

import pytest
import slurm
from launcher.arrays import GONE, KILLED, RUNNING, WAITING
from launcher.call import Job
from launcher.tasks import portable_environment, read_task, write_tasks
from launching import UTILS, launch


def test_options_of_sbatch(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")  # within another job, whose variables are options
    monkeypatch.setenv("SLURM_CONF", "slurm.conf")
    options = ["--mem", "4G", "--max-jobs-run", "2"]
    monkeypatch.chdir(tmp_path)
    command = ["JOB=2:4", "50% a.JOB.log", "sh", "-c", "env | grep SLURM_"]
    assert cluster.launch("slurm", *options, *command).returncode == 0
    assert cluster.submissions()[0][1:] == [
        "--mem=4G",
        "--parsable",
        "--array=2-4%2",
        "--output=50%% a.%a.log",
        "--open-mode=append",
        f"--chdir={tmp_path}",
        str(tmp_path),
    ]
    lines = (tmp_path / "50% a.3.log").read_text().splitlines()
    assert sorted(line for line in lines if not line.startswith("#")) == [
        "SLURM_ARRAY_TASK_ID=3",
        "SLURM_CONF=slurm.conf",
        "SLURM_KILL_BAD_EXIT=1",
    ]


def test_refused(cluster, tmp_path):
    result = cluster.launch("slurm", "--mem", "999G", tmp_path / "a.log", "true")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith("slurm.py: error: sbatch refused: sbatch --mem=999G --parsable")
    assert lines[1] == "sbatch: error: Memory specification can not be satisfied"
    assert list(tmp_path.glob("*.py.*")) == []


def test_no_slurm(tmp_path, monkeypatch):
    (tmp_path / "slurm.conf").write_text("command no-such-sbatch\n")
    result = launch("slurm", "--config", tmp_path / "slurm.conf", tmp_path / "a.log", "true")
    assert (result.returncode, result.stderr) == (
        1,
        "slurm.py: error: cannot run no-such-sbatch: No such file or directory\n",
    )


def test_without_configuration(tmp_path):
    result = launch("slurm", "a.log", "true", cwd=tmp_path)
    assert result.returncode == 2
    assert "slurm.py: error: cannot read conf/slurm.conf: No such file" in result.stderr


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("PENDING", WAITING),
        ("REQUEUED", WAITING),
        ("RUNNING", RUNNING),
        ("COMPLETING", RUNNING),
        ("COMPLETED", GONE),
        ("FAILED", KILLED),
        ("OUT_OF_MEMORY", KILLED),
    ],
)
def test_states(word, expected):
    assert slurm.classify(word) == expected


def test_task_whose_launcher_has_ended(tmp_path):
    command = [str(UTILS / "run_task.py"), str(tmp_path / "gone"), "1", "1"]
    assert os.spawnvp(os.P_WAIT, command[0], command) == 1


def test_former_rendezvous_is_forgotten(cluster, tmp_path):
    """Processes would join those of a former attempt, which are dead."""
    for name in ("meeting", "corpus"):
        (tmp_path / name).touch()
    script = "test -e corpus && test ! -e meeting"
    options = ["--dist_init_method", f"file://{tmp_path}/meeting", f"file://{tmp_path}/corpus"]
    command = ["sh", "-c", script, *options]
    assert cluster.launch("slurm", "a.log", *command, cwd=tmp_path).returncode == 0


def test_environment_of_other_machines(cluster, tmp_path, monkeypatch):
    """The user's is for nodes that know nothing of it, the machine's is not for others."""
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SSH_TTY", "/dev/pts/1")
    path = str(tmp_path / "tasks.json")
    write_tasks(path, [Job(3, ["a", "\udcff"], "log")], threads=2)
    folder, environment, command, log = read_task(path, "3")
    assert (folder, command, log) == (os.getcwd(), ["a", "\udcff"], "log")
    assert environment["HOME"] == "/home/user"
    assert {"TMPDIR", "SSH_TTY"}.isdisjoint(environment)
    assert "HOME" not in portable_environment()


def test_the_name_that_espnet_knows():
    """``espnet2.bin.launch`` calls srun for a command of this name."""
    assert os.readlink(UTILS / "slurm.pl") == "slurm.py"
