"""Progress goes to a file under the job launcher, else to a terminal, else nowhere."""

import sys

import pytest

from espnet_ssr import progress as module
from espnet_ssr.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand: ``clock[0]`` seconds."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_file_is_written_at_once_then_twice_a_second_then_at_the_end(tmp_path, monkeypatch, clock):
    path = tmp_path / "progress.1"
    monkeypatch.setenv("SSR_PROGRESS_FILE", str(path))
    progress = Progress(1000, "working", done=5)
    assert path.read_text() == "5 1000\n"
    progress.update()
    assert path.read_text() == "5 1000\n"
    clock[0] += 0.6
    progress.update(4)
    assert path.read_text() == "10 1000\n"
    progress.update(990)  # the end is not waited for
    assert path.read_text() == "1000 1000\n"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_shown_off_a_terminal(monkeypatch, capsys):
    monkeypatch.delenv("SSR_PROGRESS_FILE", raising=False)
    progress = Progress(3, "working")
    progress.update(2)
    assert progress.done == 2
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.delenv("SSR_PROGRESS_FILE", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Progress(4, "working", done=1).update(3)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "working" in shown.err and "1/4" in shown.err
