"""Processes in sessions of their own, which end with the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

POLL_SECONDS = 0.05
GRACE_SECONDS = 5
PR_SET_PDEATHSIG = 1  # from linux/prctl.h


class CannotStart(Exception):
    """A command could not be started; ``code`` is the status that a shell gives then."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


def make_death_wish(number: int) -> Callable[[], object] | None:
    """A function that has its caller sent a signal when its parent dies.

    Children call it, so that they die if the launcher is killed, and so does the launcher, for the
    script that called it. None where the system has no such thing (it is Linux's).
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, number)


def catch_signals(*more: int) -> list[int]:
    """Signals that ask to stop no longer end this process: they are put into the list returned."""
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, *more):
        # nohup ignores SIGHUP, and is meant to.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: received.append(number))
    return received


class Child:
    """A running command.

    Args:
        streams: ``stdin``, ``stdout`` and ``stderr`` as for ``subprocess.Popen``; others are this
            process's, but for stdin, which is empty.

    Raises:
        CannotStart: there is no such command.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], **streams):
        try:
            self.process = subprocess.Popen(
                command,
                env=environment,
                start_new_session=True,
                preexec_fn=make_death_wish(signal.SIGKILL),  # safe: there are no threads here
                **{"stdin": subprocess.DEVNULL, **streams},
            )
        except FileNotFoundError:
            raise CannotStart(f"command not found: {command[0]}", 127) from None
        except OSError as error:
            raise CannotStart(f"cannot run {command[0]}: {error.strerror}", 126) from None

    def poll(self) -> int | None:
        """The exit status as a shell gives it, or None if it still runs."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def signal_group(self, number: int) -> bool:
        """Send a signal to the command and what it started; whether there was any process."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def terminate(children: list[Child]) -> None:
    """End commands and what they started: politely first, then not."""
    for child in children:
        child.signal_group(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while children and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        children = [c for c in children if c.poll() is None or c.signal_group(0)]
    for child in children:
        child.signal_group(signal.SIGKILL)
        child.process.wait()
