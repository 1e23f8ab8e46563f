"""A process that cancels what its launcher submitted, if that dies before all is over."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time

TRIES = 5
PAUSE_SECONDS = 2
OVER = b"over\n"


class Guardian:
    """Commands to be run when this process ends, however it does, unless it says it is over."""

    def __init__(self):
        # Ctrl-C and the end of a login reach the launcher's session, not the guardian's.
        self._process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def watch(self, *commands: list[str]) -> None:
        """Have these run, too."""
        self._send(b"".join(json.dumps(command).encode() + b"\n" for command in commands))

    def all_is_over(self) -> None:
        """Forget the commands: there is nothing left to cancel."""
        self._send(OVER)

    def end(self) -> None:
        """Have the commands run that are not over, and wait for them."""
        self._process.stdin.close()
        self._process.wait()

    def _send(self, data: bytes) -> None:
        self._process.stdin.write(data)
        self._process.stdin.flush()


def run_when_stdin_ends() -> None:
    commands = []
    for line in sys.stdin.buffer:
        commands = [] if line == OVER else [*commands, json.loads(line)]
    for command in commands:
        insist(command)


def insist(command: list[str]) -> None:
    """Run a command until it succeeds, a few times."""
    for _ in range(TRIES):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return
        time.sleep(PAUSE_SECONDS)
    print(f"failed: {shlex.join(command)}\n{result.stderr}", file=sys.stderr)


if __name__ == "__main__":
    run_when_stdin_ends()
