"""utils/sge.py: what it tells Grid Engine, and what it makes of the answers; see test_arrays.py."""

import os

import pytest
import sge
from launcher.arrays import KILLED, RUNNING, WAITING

# As Grid Engine 8 prints it.
QSTAT = """\
<?xml version='1.0'?>
<job_info xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <queue_info>
    <job_list state="running">
      <JB_job_number>12</JB_job_number><JB_name>ssr_align</JB_name><state>r</state>
      <queue_name>all.q@node</queue_name><slots>1</slots><tasks>1</tasks>
    </job_list>
    <job_list state="running">
      <JB_job_number>11</JB_job_number><state>r</state><tasks>9</tasks>
    </job_list>
  </queue_info>
  <job_info>
    <job_list state="pending">
      <JB_job_number>12</JB_job_number><state>qw</state><slots>1</slots><tasks>3-7:2,9</tasks>
    </job_list>
    <job_list state="pending">
      <JB_job_number>13</JB_job_number><state>Eqw</state><slots>1</slots><tasks>2</tasks>
    </job_list>
  </job_info>
</job_info>
"""


@pytest.fixture
def grid_engine(monkeypatch):
    """Grid Engine's commands, without a call."""
    monkeypatch.setattr(sge.GridEngine, "__init__", lambda _: None)
    return sge.GridEngine()


def test_states(grid_engine, tmp_path, monkeypatch):
    (tmp_path / "qstat").write_text(f"#!/bin/sh\ncat <<'END'\n{QSTAT}END\n")
    (tmp_path / "qstat").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    waiting = (WAITING, "qw")
    assert grid_engine.states(["12", "13"]) == {
        1: (RUNNING, "r"),
        2: (KILLED, "Eqw"),
        **{3: waiting, 5: waiting, 7: waiting, 9: waiting},
    }


def test_no_answer(grid_engine, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert grid_engine.states(["12"]) is None


def test_options_of_qsub(cluster, tmp_path):
    options = ["--mem", "4G", "--max_jobs_run", "2"]
    result = cluster.launch("sge", *options, "X=2:4", "log/a.X.log", "true", cwd=tmp_path)
    assert result.returncode == 0
    assert cluster.submissions()[0][1:-1] == [
        *["-S", "/bin/sh", "--mem=4G", "-tc", "2", "-terse", "-cwd", "-notify", "-j", "y"],
        *["-o", "log/a.$TASK_ID.log", "-t", "2-4"],
    ]
