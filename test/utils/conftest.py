"""Fixtures of the tests of job launchers."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "utils")]

from launching import FakeCluster


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Slurm's and Grid Engine's commands are those of fake_cluster.py."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return FakeCluster(tmp_path / "cluster", monkeypatch)
