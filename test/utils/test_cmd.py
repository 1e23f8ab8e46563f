"""cmd.sh of the recipes: which commands a backend is."""

import shutil
import subprocess
from pathlib import Path

import pytest
from launching import UTILS

CMD = Path(__file__).parents[2] / "egs2" / "TEMPLATE" / "ssr1" / "cmd.sh"


def source(**environment):
    """What cmd.sh sets and says."""
    script = f"set -euo pipefail; . {CMD}; echo $train_cmd $cuda_cmd"
    return subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("backend", "commands"),
    [
        ("local", ["run.py", "run.py"]),
        ("ssh", ["ssh.py", "ssh.py"]),
        ("slurm", ["slurm.py", "slurm.pl"]),
        ("sge", ["sge.py", "sge.py"]),
    ],
)
def test_backends(backend, commands):
    assert source(SSR_CMD_BACKEND=backend).stdout.split() == commands
    assert all(shutil.which(command, path=str(UTILS)) for command in commands)


def test_local_unless_told_otherwise():
    assert source().stdout.split() == ["run.py", "run.py"]


def test_unknown_backend():
    result = source(SSR_CMD_BACKEND="pbs")
    assert result.returncode == 1
    assert result.stderr == "cmd.sh: unknown cmd_backend pbs: choose local, ssh, slurm or sge\n"
