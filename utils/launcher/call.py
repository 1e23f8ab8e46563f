"""The command line that all launchers have: ``CMD [options] [JOB=1:N] LOG command...``."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import NoReturn

LEAST = {"gpu": 0, "num_threads": 1, "max_jobs_run": 1, "num_nodes": 1, "retries": 0}


def stop(program: str, message: str, code: int = 2) -> NoReturn:
    """End the launcher with an error."""
    print(f"{program}: error: {message}", file=sys.stderr)
    sys.exit(code)


class Job:
    """One command with its log; ``code`` is its exit status once it ended."""

    def __init__(self, number: int, command: list[str], log: str):
        self.number, self.command, self.log = number, command, log
        folder, name = os.path.split(log)
        # Named after the log, so that two launchers can use one folder at a time.
        self.progress_file = os.path.join(folder, f".progress.{os.path.splitext(name)[0]}")
        self.code: int | None = None
        self.waiting = False  # for a place in a cluster's queue
        self.resumed: int | None = None  # steps that were done before, as it first reported

    def clear(self) -> None:
        """Make the log's folder, and remove logs and progress of former runs."""
        os.makedirs(os.path.dirname(self.log) or ".", exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.log)
        with contextlib.suppress(FileNotFoundError):
            for attempt in itertools.count(1):
                os.remove(f"{self.log}.{attempt}")
        self.remove_progress()

    def read_progress(self) -> tuple[int, int] | None:
        """What the job last reported, (done, total), or None if it did not."""
        try:
            with open(self.progress_file, encoding="ascii") as file:
                done, total = map(int, file.read().split())
        except (OSError, ValueError):
            return None
        if self.resumed is None:
            self.resumed = done
        return done, total

    def remove_progress(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.progress_file)


@dataclass
class Call:
    """What a launcher was asked for: options by name, with ``_`` for ``-``, and a command."""

    options: dict[str, str]
    name: str | None  # JOB, if it is an array
    numbers: range
    log: str
    command: list[str]

    def number_option(self, name: str, default: int) -> int:
        return int(self.options.get(name, default))

    def make_jobs(self, kind: type[Job] = Job) -> list[Job]:
        """The jobs, with their numbers wherever the call has JOB."""
        return [
            kind(n, [self._numbered(word, n) for word in self.command], self._numbered(self.log, n))
            for n in self.numbers
        ]

    def log_pattern(self, placeholder: str, escape: tuple[str, str] = ("", "")) -> str:
        """The log, with a scheduler's placeholder for the number.

        Args:
            escape: what means something to the scheduler, and how it is written without meaning.
        """
        parts = [self.log] if self.name is None else self.log.split(self.name)
        return placeholder.join(part.replace(*escape) if escape[0] else part for part in parts)

    def _numbered(self, word: str, number: int) -> str:
        return word if self.name is None else word.replace(self.name, str(number))


def parse_call(
    program: str, description: str, words: list[str], known: Collection[str] | None
) -> Call:
    """Parse a command line; a wrong one ends the launcher, ``--help`` as well.

    Args:
        known: names of options; None: any, as a configuration file decides.
    """
    if words[:1] in (["--help"], ["-h"]):
        print(description)
        sys.exit(0)
    words, options = list(words), {}
    while words and words[0].startswith("-"):
        option, is_joined, value = words.pop(0).partition("=")
        name = option[2:].replace("-", "_")
        if not option.startswith("--") or (known is not None and name not in known):
            given = sorted(known or LEAST)
            stop(program, f"unknown option {option}; there are --{', --'.join(given)}")
        if not is_joined and not words:
            stop(program, f"{option} needs a value")
        value = value if is_joined else words.pop(0)
        check_number(program, name, value)
        # The first one counts: espnet2.bin.launch adds --num_threads to what cmd.sh says.
        options.setdefault(name, value)
    return _split(program, words, options)


def check_number(program: str, name: str, value: str) -> None:
    """Refuse values that are no numbers, or too small, of options that want them."""
    if name in LEAST and not (value.isdecimal() and int(value) >= LEAST[name]):
        option = name.replace("_", "-")
        stop(program, f"--{option} must be {LEAST[name]} or more, not {value}")


def _split(program: str, words: list[str], options: dict[str, str]) -> Call:
    """Split what follows the options into the array, the log and the command."""
    array = re.fullmatch(r"([A-Za-z_]\w*)=(\d+)(?::(\d+))?", words[0]) if words else None
    if len(words) < (3 if array else 2):
        stop(program, "a log and a command are needed")
    if not array:
        return Call(options, None, range(1, 2), words[0], words[1:])
    name, first, last = array[1], int(array[2]), int(array[3] or array[2])
    if first > last:
        stop(program, f"no jobs in {words[0]}")
    if first < 1:
        stop(program, f"{words[0]}: the first job is 1")
    if name not in words[1] and first < last:
        stop(program, f"{words[1]}: without {name} in its name, jobs would share the log")
    return Call(options, name, range(first, last + 1), words[1], words[2:])
