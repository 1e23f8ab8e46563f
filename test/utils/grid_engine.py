"""A real Grid Engine of one node, this machine, in a folder and on ports of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from launcher.children import Child, terminate
from launching import wait_for

LIBRARY = Path("/usr/lib/gridengine")
SHARE = Path("/usr/share/gridengine")
BOOTSTRAP = """\
admin_user none
default_domain none
ignore_fqdn false
spooling_method berkeleydb
spooling_lib libspoolb
spooling_params {folder}/spool/db
binary_path /usr/sbin
qmaster_spool_dir {folder}/spool/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
"""
# What differs from Debian's: spool folders, and that root may submit jobs.
CONFIGURATION = {"execd_spool_dir": "{folder}/spool/execd", "min_uid": "0", "min_gid": "0"}
# Jobs start and end at once.
SCHEDULE = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}
QUEUE = {
    "qname": "all.q",
    "hostlist": "localhost",
    "load_thresholds": "NONE",
    "pe_list": "NONE",
    "slots": "4",
}


def why_not() -> str | None:
    """Why there can be no Grid Engine here, or None."""
    if not (Path("/usr/sbin/sge_qmaster").exists() and Path("/usr/sbin/sge_execd").exists()):
        return "no sge_qmaster, sge_execd: apt-get install gridengine-master gridengine-exec"
    return None if os.geteuid() == 0 else "Grid Engine's daemons want to be started by root"


def replace_values(text: str, values: dict[str, str]) -> str:
    """Lines ``name value`` with other values."""
    lines = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return "".join(f"{name} {values.get(name, ' '.join(rest))}\n" for name, *rest in lines)


class GridEngine:
    """Running daemons; ``environment`` is what Grid Engine's commands need to find them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {"SGE_ROOT": str(folder / "root"), "SGE_CELL": "default"}
        for name in ("SGE_QMASTER_PORT", "SGE_EXECD_PORT"):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.environment[name] = str(free.getsockname()[1])
        for name in ("root/default/common", "spool/qmaster/job_scripts", "spool/db", "spool/execd"):
            (folder / name).mkdir(parents=True)
        self._write_spool()
        self._daemons = [self._start("sge_qmaster")]
        wait_for(lambda: self.run("qstat").returncode == 0)
        self.run("qconf", "-as", "localhost")
        self._configure("-ssconf", "-Msconf", SCHEDULE)
        self._configure("-sq", "-Aq", QUEUE)
        self._daemons.append(self._start("sge_execd"))
        wait_for(lambda: "lx-" in self.run("qstat", "-f").stdout)

    def _write_spool(self) -> None:
        common = self.folder / "root/default/common"
        common.joinpath("bootstrap").write_text(BOOTSTRAP.format(folder=self.folder))
        common.joinpath("act_qmaster").write_text("localhost\n")
        names = {socket.gethostname(), socket.gethostbyaddr("127.0.0.1")[0]} - {"localhost"}
        common.joinpath("host_aliases").write_text(f"localhost {' '.join(sorted(names))}\n")
        values = {name: v.format(folder=self.folder) for name, v in CONFIGURATION.items()}
        defaults = (SHARE / "default-configuration").read_text()
        (self.folder / "configuration").write_text(replace_values(defaults, values))
        spool = ["berkeleydb", "libspoolb", str(self.folder / "spool/db"), "init"]
        self.run(str(LIBRARY / "spoolinit"), *spool).check_returncode()
        for what in (
            ("configuration", str(self.folder / "configuration")),
            ("complexes", str(SHARE / "util/resources/centry")),
            ("usersets", str(SHARE / "util/resources/usersets")),
            ("managers", "root"),
        ):
            self.run(str(LIBRARY / "spooldefaults"), *what).check_returncode()

    def _start(self, program: str) -> Child:
        environment = {**os.environ, **self.environment, "SGE_ND": "1"}
        with open(self.folder / "daemons.log", "a") as log:
            return Child(
                [f"/usr/sbin/{program}"], environment, stdout=log, stderr=subprocess.STDOUT
            )

    def _configure(self, show: str, change: str, values: dict[str, str]) -> None:
        """Change values of what Grid Engine shows."""
        file = self.folder / "changed"
        file.write_text(replace_values(self.run("qconf", show).stdout, values))
        self.run("qconf", change, str(file)).check_returncode()

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """Run a command of Grid Engine's."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def stop(self) -> None:
        self.run("qdel", "-u", "root")
        wait_for(lambda: not self.run("qstat").stdout)
        terminate(self._daemons[::-1])
        shutil.rmtree(self.folder / "spool")
