"""utils/stage_done.py: what counts as done, and what is said when it is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

STAGE_DONE = Path(__file__).parents[2] / "utils" / "stage_done.py"
INPUTS = ["lr=0.001", "tag=a b=c", "--files", "conf.yaml", "data"]


@pytest.fixture
def stage_done(tmp_path):
    """Return a function that runs the command in a folder with a file and a data directory."""
    (tmp_path / "conf.yaml").write_text("x: 1\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "text").write_text("a b\n")

    def run(action, *args):
        command = [sys.executable, STAGE_DONE, action, "exp/.done", *args]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def changed(result):
    """Return the line about what changed, after checking that it is one."""
    assert result.returncode == 1
    assert result.stdout.count("\n") == 1
    return result.stdout.removeprefix("exp/.done: ").rstrip("\n")


def test_same_inputs_are_done(stage_done, tmp_path):
    assert stage_done("mark", "--elapsed", "2.5", *INPUTS).returncode == 0
    result = stage_done("check", *INPUTS)
    assert (result.returncode, result.stdout) == (0, "")
    record = json.loads((tmp_path / "exp" / ".done").read_text())
    assert record["elapsed_seconds"] == 2.5
    assert record["date"][:2] == "20"
    assert [path.name for path in (tmp_path / "exp").iterdir()] == [".done"]


def test_no_record_is_not_done_and_no_news(stage_done):
    result = stage_done("check", *INPUTS)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "")


def test_changed_parameters(stage_done):
    stage_done("mark", *INPUTS)
    files = INPUTS[2:]
    assert changed(stage_done("check", "lr=0.0005", "tag=a b=c", *files)) == "lr: 0.001 -> 0.0005"
    assert changed(stage_done("check", "lr=0.001", *files)) == "tag: a b=c -> not set"
    assert changed(stage_done("check", "nj=2", *INPUTS)) == "nj: not set -> 2"


def test_changed_files(stage_done, tmp_path):
    stage_done("mark", *INPUTS)
    (tmp_path / "data" / ".done").write_text("hidden files do not count")
    assert stage_done("check", *INPUTS).returncode == 0
    (tmp_path / "data" / "text").rename(tmp_path / "data" / "text2")
    assert changed(stage_done("check", *INPUTS)) == "data changed"
    (tmp_path / "conf.yaml").unlink()
    assert changed(stage_done("check", *INPUTS)) == "file missing: conf.yaml; data changed"
    assert changed(stage_done("check", *INPUTS[:3], "data/text2")) == (
        "conf.yaml is no input any more; data is no input any more; data/text2 is a new input"
    )


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": {}}', "\0\xff"])
def test_corrupt_record_is_not_done(stage_done, tmp_path, content):
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / ".done").write_bytes(content.encode("latin-1"))
    assert "record" in changed(stage_done("check", *INPUTS))
    assert stage_done("mark", *INPUTS).returncode == 0
    assert stage_done("check", *INPUTS).returncode == 0


def test_mark_needs_its_files(stage_done, tmp_path):
    result = stage_done("mark", "--files", "none")
    assert result.returncode == 1
    assert "file missing: none" in result.stderr
    assert not (tmp_path / "exp").exists()


def test_parameter_without_value_is_refused(stage_done):
    result = stage_done("check", "lr")
    assert result.returncode == 2
    assert "not key=value: 'lr'" in result.stderr
