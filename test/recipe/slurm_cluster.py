"""A real Slurm of two nodes on this machine, in a folder and on ports of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "utils"))
from launcher.children import Child, terminate

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "srun")
NODES = ("n1", "n2")
CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_interval=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 State=UNKNOWN\n"


def why_not() -> str | None:
    """Why there can be no Slurm here, or None."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    missing = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "Slurm's daemons want to be started by root"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class SlurmCluster:
    """Running daemons; ``environment`` is what Slurm's commands need to find them."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "state").mkdir()
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o400)
        conf = folder / "slurm.conf"
        host = socket.gethostname()
        conf.write_text(
            CONF.format(host=host, folder=folder, controller_port=free_port())
            + "".join(NODE.format(name=name, host=host, port=free_port()) for name in NODES)
        )
        self.environment = {"SLURM_CONF": str(conf)}
        munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        # --force: the folder may be one that only root can enter.
        self._daemons: list[Child] = []
        self._start("munged", "-F", "--force", f"--socket={folder}/munge.socket", *munge)
        self._wait_for((folder / "munge.socket").exists)
        self._start("slurmctld", "-D")
        for name in NODES:
            self._start("slurmd", "-D", "-N", name)
        self._wait_for(lambda: self.run("sinfo", "-h", "-o", "%T", "-t", "idle") == "idle\n")

    def _start(self, program: str, *options: str) -> None:
        environment = {**os.environ, **self.environment}
        environment["PATH"] += ":/usr/sbin"
        with open(self.folder / "daemons.log", "a") as log:
            self._daemons.append(
                Child([program, *options], environment, stdout=log, stderr=subprocess.STDOUT)
            )

    def _wait_for(self, condition, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.folder / "daemons.log").read_text()
            time.sleep(0.1)

    def run(self, *command: str) -> str:
        """What a command of Slurm's prints."""
        environment = {**os.environ, **self.environment}
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        return result.stdout

    def tasks(self) -> list[tuple[str, str, int, str]]:
        """All that was ever submitted: name, array, number and state of each task."""
        lines = self.run("squeue", "-h", "-r", "-t", "all", "-o", "%j %F %K %T").splitlines()
        fields = (line.split() for line in lines)
        return [(name, array, int(number), state) for name, array, number, state in fields]

    def stop(self) -> None:
        self.run("scancel", "--user=root")
        self._wait_for(lambda: not self.run("squeue", "-h"))
        terminate(self._daemons[::-1])
