"""A question as a benchmark's files have it, and what was left out of them."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple


class Record(NamedTuple):
    """A question.

    Attributes:
        record_id: unique in its benchmark.
        fields: its texts by name, without spaces around them.
        where: file, and line if it has any, that it was read from.
        audio: files of those fields that the benchmark has speech of.
    """

    record_id: str
    fields: dict[str, str]
    where: str
    audio: dict[str, str] = {}


class Entry(NamedTuple):
    """A question that was left out: where it was, why, and what more there is to say."""

    where: str
    cause: str
    details: str


class Skipped:
    """Questions that were left out.

    Attributes:
        entries: in the order in which they were met.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, where: str, cause: str, details: str = "") -> None:
        """Args:
        where: ``file:line``, or a file.
        cause: few words; they are counted by it.
        details: what differs from one to the other.
        """
        self.entries.append(Entry(where, cause, details))

    @property
    def counts(self) -> Counter[str]:
        """Number of questions by cause."""
        return Counter(entry.cause for entry in self.entries)

    def lines(self) -> list[str]:
        """A line for each, to be written into a file."""
        return [_line(entry) for entry in self.entries]

    def describe(self) -> list[str]:
        """A line for each cause, with the number of questions and the first of them."""
        first = {entry.cause: entry for entry in reversed(self.entries)}
        return [
            f"{number} left out, the first being {_line(first[cause])}"
            for cause, number in self.counts.most_common()
        ]


def _line(entry: Entry) -> str:
    # One line, whatever a question holds.
    return " ".join(f"{entry.where}: {entry.cause} {entry.details}".split())
