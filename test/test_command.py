"""What a user sees of an error, and the exit code that a shell sees."""

import errno
import sys

import pytest

from espnet_ssr.command import run_command

WORKER = """Caught ValueError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "x.py", line 1, in f
ValueError: utt-1: feats has NaN
"""


@pytest.fixture(autouse=True)
def program(monkeypatch):
    """The name of the command that is running, without debugging."""
    monkeypatch.setattr(sys, "argv", ["/some/where/ssr_align.py", "--nj", "4"])
    monkeypatch.delenv("SSR_DEBUG", raising=False)


def failing(error):
    def main():
        raise error

    return main


def test_success_is_silent(capsys):
    assert run_command(lambda: None) is None
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("text:3: empty line"), "text:3: empty line"),
        (FileNotFoundError(2, "No such file", "a"), "[Errno 2] No such file: 'a'"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            f"[Errno {errno.ENOSPC}] No space left on device: free some and run again to continue",
        ),
        (RuntimeError("no GPU"), "no GPU"),
        (KeyError("utt-1 has no text"), "utt-1 has no text"),
        (KeyError(), ""),
        (ValueError(WORKER), "ValueError: utt-1: feats has NaN"),
    ],
)
def test_errors_of_the_user_are_one_line(capsys, error, message):
    with pytest.raises(SystemExit) as end:
        run_command(failing(error))
    assert end.value.code == 1
    assert capsys.readouterr() == ("", f"ssr_align: error: {message}\n")


def test_debugging_shows_the_traceback(monkeypatch, capsys):
    monkeypatch.setenv("SSR_DEBUG", "1")
    with pytest.raises(ValueError, match="empty line"):
        run_command(failing(ValueError("empty line")))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [AssertionError("bug"), AttributeError("bug"), TypeError("bug")])
def test_errors_of_the_program_keep_their_traceback(error):
    with pytest.raises(type(error), match="bug"):
        run_command(failing(error))


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (SystemExit(2), 2)])
def test_exit_codes_of_what_is_no_error(capsys, error, code):
    with pytest.raises(SystemExit) as end:
        run_command(failing(error))
    assert end.value.code == code
    assert capsys.readouterr().err == ""
