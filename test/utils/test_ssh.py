"""utils/ssh.py: machines, arguments, failures, interruptions; by a fake ssh and by a real one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from launcher.children import Child, terminate
from launching import is_running, launch, patched, read_pid, wait_for

ODD = ["a  b", "$HOME", "`id`", "*", "'", '"', "\\", "; exit 3", "ü\n#", "", "-n"]
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
SSHD_CONF = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
"""
SSH_CONF = """\
Host one two
HostName 127.0.0.1
Port {port}
IdentityFile {folder}/user
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
"""


@pytest.fixture(scope="module")
def real_ssh(tmp_path_factory):
    """A folder with an ssh that knows how to log in at a real sshd on this machine."""
    if SSHD is None or os.geteuid() != 0:
        pytest.skip("no sshd that root could start: apt-get install openssh-server")
    folder = tmp_path_factory.mktemp("sshd")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        values = {"port": free.getsockname()[1], "folder": folder}
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
        subprocess.run(command, check=True)
    (folder / "sshd.conf").write_text(SSHD_CONF.format(**values))
    (folder / "ssh.conf").write_text(SSH_CONF.format(**values))
    write_ssh(folder, f'exec {shutil.which("ssh")} -F {folder}/ssh.conf "$@"')
    Path("/run/sshd").mkdir(exist_ok=True)
    daemon = Child([SSHD, "-D", "-e", "-f", str(folder / "sshd.conf")], dict(os.environ))
    wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", values["port"])) == 0)
    yield folder / "bin"
    terminate([daemon])


def write_ssh(folder, line):
    (folder / "bin").mkdir()
    (folder / "bin/ssh").write_text(f"#!/bin/sh\n{line}\n")
    (folder / "bin/ssh").chmod(0o755)


@pytest.fixture(params=["fake", "real"])
def machines(request, tmp_path, monkeypatch):
    """A file of two machines, which ssh can log in to; this is the working folder of a test."""
    if request.param == "real":
        path = request.getfixturevalue("real_ssh")
    else:
        write_ssh(tmp_path, f'exec {sys.executable} {Path(__file__).with_name("fake_ssh.py")} "$@"')
        path = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{path}:{os.environ['PATH']}")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    folder = tmp_path / "work $HOME folder"
    (folder / ".queue").mkdir(parents=True)
    monkeypatch.chdir(folder)
    (folder / ".queue/machines").write_text("# machines of ours\none\n\ntwo # the other\n")
    return folder / ".queue/machines"


def test_arguments_environment_and_folder_reach_the_command(machines, monkeypatch):
    monkeypatch.setenv("SSR_ODD", ODD[8])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "of the launcher's machine")
    show = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))"
    command = [sys.executable, "-c", show, "JOB", *ODD]
    result = launch("ssh", "--num_threads", 3, "JOB=1:3", "log/l.JOB.log", *command)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    hosts = []
    for number in ("1", "2", "3"):
        lines = Path(f"log/l.{number}.log").read_text().splitlines()
        hosts.append(next(line.split()[3] for line in lines if line.startswith("# Started on ")))
        assert lines[-1].startswith("# Ended (code 0) at ")
        arguments, environment, folder = json.loads(lines[-2])
        assert arguments == [number, *ODD]
        assert folder == os.getcwd()
        assert environment["SSR_ODD"] == ODD[8]
        assert environment["PATH"] == os.environ["PATH"]
        assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"
        assert environment.get("CUDA_VISIBLE_DEVICES") != "of the launcher's machine"
    assert hosts == ["one", "two", "one"]
    assert len(os.listdir("log")) == 3


def test_failures(machines):
    script = "echo line of $0; test $0 != 2"
    result = launch("ssh", "JOB=1:3", "l.JOB.log", "sh", "-c", script, "JOB")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0] == "ssh.py: 1 of 3 jobs failed; the end of l.2.log:"
    assert lines[-2] == "line of 2"
    assert lines[-1].startswith("# Ended (code 1) at ")
    result = launch("ssh", "a.log", "no-such-command")
    assert "run_remote.py: command not found: no-such-command\n# Ended (code 127)" in result.stderr


def test_no_connection(machines):
    machines.write_text("no-such-machine\n")
    result = launch("ssh", "a.log", "true")
    assert result.returncode == 1
    assert "ssh: Could not resolve hostname no-such-machine" in result.stderr
    assert "# Ended (code 255)" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_remote_processes_end_with_the_launcher(machines, number):
    script = "sleep 60 & echo $! > new; mv new child; echo $$ > parent; wait"
    with subprocess.Popen(
        [*patched("ssh", {}), "a.log", "sh", "-c", script], stderr=subprocess.PIPE
    ) as launcher:
        pids = [read_pid(Path(name)) for name in ("child", "parent")]
        launcher.send_signal(number)
        launcher.communicate(timeout=30)
    assert launcher.returncode == (143 if number == signal.SIGTERM else -9)
    wait_for(lambda: not any(map(is_running, pids)))


@pytest.mark.parametrize(
    ("args", "machines", "message"),
    [
        (["--config", "none"], "one", "cannot read none: No such file"),
        ([], "# nobody\n", ".queue/machines: no machine in it"),
        ([], "one two\n", ".queue/machines: not the name of a machine: one two"),
        ([], "-oProxyCommand=x\n", "not the name of a machine: -oProxyCommand=x"),
        (["--num_nodes", "2"], "one\ntwo\n", "--num-nodes: one machine a job"),
    ],
)
def test_wrong_calls(tmp_path, args, machines, message):
    (tmp_path / ".queue").mkdir()
    (tmp_path / ".queue/machines").write_text(machines)
    result = launch("ssh", *args, "a.log", "true", cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr


def test_threads_of_machines_are_shared_out(machines):
    cores = len(os.sched_getaffinity(0))
    command = ["JOB=1:4", "l.JOB.log", "sh", "-c", "echo threads $OMP_NUM_THREADS"]
    assert launch("ssh", *command).returncode == 0
    assert f"\nthreads {max(1, cores // 2)}\n" in Path("l.4.log").read_text()
