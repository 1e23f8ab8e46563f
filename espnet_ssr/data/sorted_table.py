"""Kaldi's ``key value`` files looked up where they are, however long they are."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

BLOCK = 4096  # bytes that are read at once
CHECKED_LINES = 1000  # at the beginning of a file, for their order


class SortedTable:
    """A file of ``key value...`` lines in the order of the bytes of their keys (``LC_ALL=C``, as
    Kaldi's files are). A key is found by bisection of the file: nothing is read before, nothing is
    kept.

    The file is open from the start to the end, so that one that is replaced meanwhile is not read;
    reads give their place, so that processes that are forked share it.

    Args:
        path: of a file of UTF-8.

    Raises:
        ValueError: there is nothing in it, or it is not sorted as far as its beginning shows.
    """

    def __init__(self, path: str | os.PathLike):
        self._path = Path(path)
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 (for as long as this lives)
        self._size = os.fstat(self._file.fileno()).st_size
        if not self._size:
            raise ValueError(f"{path}: there is nothing in it")
        self._check_order()

    def __getstate__(self) -> Path:
        return self._path

    def __setstate__(self, path: Path) -> None:
        self.__init__(path)

    def __getitem__(self, key: str) -> str:
        """The value of a key, without blanks around it; ``""`` if there is none.

        Raises:
            KeyError: no line begins with the key.
            ValueError: names the file and line of bad UTF-8, an empty line or a duplicate key.
        """
        wanted = key.encode()
        lines = self._lines_from(self._block_before(wanted) * BLOCK)
        for start, line in lines:
            found = self._key_of(start, line)
            if found == wanted:
                self._refuse_duplicate(wanted, next(lines, None))
                return self._value_of(start, line)
            if found > wanted:
                break
        raise KeyError(
            f"{self._path}: no line of {key} at its place; if there is one elsewhere, "
            f"{self._how_to_sort()}"
        )

    def items(self) -> Iterator[tuple[str, str]]:
        """All keys with their values.

        Raises:
            ValueError: names the file and line of what is wrong, or not in its order.
        """
        previous = b""
        for number, (start, line) in enumerate(self._lines_from(0), 1):
            key = self._key_of(start, line)
            if key <= previous:
                raise ValueError(self._not_sorted(number, previous, key))
            yield key.decode(), self._value_of(start, line)
            previous = key

    def values_of(self, keys: Iterable[str]) -> Iterator[str]:
        """The values of keys that come in their order, reading the file once.

        Raises:
            KeyError: there is no line of a key.
            ValueError: see ``items``.
        """
        items = self.items()
        for key in keys:
            found, value = next((item for item in items if item[0] >= key), ("", ""))
            if found != key:
                raise KeyError(f"{self._path}: no line of {key}")
            yield value

    def _block_before(self, wanted: bytes) -> int:
        """The last block whose first line has a key before ``wanted``; else the first block."""
        low, high = 0, -(-self._size // BLOCK)
        while high - low > 1:
            middle = (low + high) // 2
            start, line = next(self._lines_from(middle * BLOCK), (self._size, None))
            if line is not None and self._key_of(start, line) < wanted:
                low = middle
            else:
                high = middle
        return low

    def _lines_from(self, place: int) -> Iterator[tuple[int, bytes]]:
        """Start and content of the lines that begin at ``place`` or after it."""
        start, rest = max(0, place - 1), b""
        begun = place == 0  # else there is first what is left of a line that begins before
        while block := os.pread(self._file.fileno(), BLOCK, start + len(rest)):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                if begun:
                    yield start, line
                begun = True
                start += len(line) + 1
        if rest and begun:
            yield start, rest

    def _key_of(self, start: int, line: bytes) -> bytes:
        words = line.split(None, 1)
        if not words:
            raise ValueError(f"{self._path}:{self._number_of(start)}: empty line")
        return words[0]

    def _value_of(self, start: int, line: bytes) -> str:
        try:
            return line.decode().strip().partition(" ")[2].strip()
        except UnicodeDecodeError as error:
            number = self._number_of(start)
            raise ValueError(f"{self._path}:{number}: not UTF-8 ({error.reason})") from None

    def _number_of(self, start: int) -> int:
        """The number of the line that begins at ``start``, from 1."""
        return 1 + sum(1 for place, _ in self._lines_from(0) if place < start)

    def _refuse_duplicate(self, key: bytes, following: tuple[int, bytes] | None) -> None:
        if following and self._key_of(*following) == key:
            raise ValueError(self._not_sorted(self._number_of(following[0]), key, key))

    def _check_order(self) -> None:
        """Look at the first lines: in a file that is not sorted, hardly any are."""
        deque(islice(self.items(), CHECKED_LINES), maxlen=0)  # only for the errors that it raises

    def _not_sorted(self, number: int, previous: bytes, key: bytes) -> str:
        where, name = f"{self._path}:{number}", key.decode(errors="replace")
        if key == previous:
            return f"{where}: duplicate key {name}"
        return f"{where}: {name} follows {previous.decode(errors='replace')}: {self._how_to_sort()}"

    def _how_to_sort(self) -> str:
        return f"sort it: LC_ALL=C sort -o {self._path} {self._path}"
