"""Files of ESPnet's stage "collect stats": how long every utterance is, as arrays."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CHUNK = 1 << 24  # bytes that are parsed at once
NEWLINE, SPACE, COMMA, ZERO = b"\n ,0"
# FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv
HASH_OFFSET, HASH_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


@dataclass(frozen=True)
class Shapes:
    """A file of lines ``utt length`` or ``utt length,width``: 24 bytes an utterance.

    Attributes:
        path: of the file.
        lengths: ``(N,)``, int64, in the order of the file.
        width: product of the dimensions after the length, which are those of every utterance.
        starts: ``(N,)``, where each line begins in the file.
        hashes: ``(N,)``, of the utterances' names.
    """

    path: Path
    lengths: np.ndarray
    width: int
    starts: np.ndarray
    hashes: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def utt_id(self, row: int) -> str:
        """The utterance of a row, which is read from the file."""
        with open(self.path, "rb") as file:
            file.seek(self.starts[row])
            return file.readline().split(None, 1)[0].decode()


def read_shapes(path: str | os.PathLike) -> Shapes:
    """Read a shape file, some million lines a second.

    Raises:
        ValueError: names the file and line of what is not ``utt length[,width]``, of other
            dimensions than the first one's, or of a duplicate key.
    """
    path = Path(path)
    lengths, starts, hashes = [], [], []
    width, number, place = None, 1, 0
    with open(path, "rb") as file:
        while lines := file.read(CHUNK) + file.readline():
            lines += b"" if lines.endswith(b"\n") else b"\n"
            chunk = _Lines(np.frombuffer(lines, dtype=np.uint8), f"{path}:", number)
            width = chunk.width if width is None else width
            lengths.append(chunk.parse_lengths(width))
            starts.append(chunk.starts + place)
            hashes.append(chunk.hash_keys())
            number, place = number + len(chunk.starts), place + len(lines)
    if width is None:
        raise ValueError(f"{path}: there is nothing in it")
    sizes = [int(size) for size in width.split(b",")[1:]]
    arrays = [np.concatenate(parts) for parts in (lengths, starts, hashes)]
    shapes = Shapes(path, arrays[0], int(np.prod(sizes)), *arrays[1:])
    _refuse_duplicates(shapes)
    return shapes


class _Lines:
    """Whole lines of a shape file.

    Args:
        text: their bytes.
        where: what an error begins with.
        number: of the first line.
    """

    def __init__(self, text: np.ndarray, where: str, number: int):
        self.text, self._where, self._number = text, where, number
        self.ends = np.flatnonzero(text == NEWLINE)
        self.starts = np.concatenate([[0], self.ends[:-1] + 1])
        self._gaps = self._first(SPACE, self.starts)
        self._refuse((self._gaps == self.ends) | (self._gaps == self.starts), "not 'utt length'")
        self._commas = self._first(COMMA, self._gaps)
        self.width = self.text[self._commas[0] : self.ends[0]].tobytes()

    def _first(self, character: int, places: np.ndarray) -> np.ndarray:
        """Where ``character`` is first, from each of ``places`` on: the line's end if nowhere."""
        found = np.append(np.flatnonzero(self.text == character), len(self.text))
        return np.minimum(found[np.searchsorted(found, places)], self.ends)

    def parse_lengths(self, width: bytes) -> np.ndarray:
        """The lengths, of lines that all end with ``width``, as in ``,80``."""
        begin, digits = self._gaps + 1, self._commas - self._gaps - 1
        self._refuse((digits < 1) | (digits > 15), "not 'utt length'")
        lengths = np.zeros(len(begin), dtype=np.int64)
        for place in range(digits.max()):
            rows = np.flatnonzero(digits > place)
            digit = self.text[begin[rows] + place].astype(np.int64) - ZERO
            wrong = np.zeros(len(begin), dtype=bool)
            wrong[rows] = (digit < 0) | (digit > 9)
            self._refuse(wrong, "not 'utt length'")
            lengths[rows] = lengths[rows] * 10 + digit
        differs = self.ends - self._commas != len(width)
        for place, character in enumerate(width):
            differs |= self.text[np.minimum(self._commas + place, self.ends)] != character
        self._refuse(differs, f"not of width {width.decode(errors='replace')[1:] or 'none'}")
        return lengths

    def hash_keys(self) -> np.ndarray:
        sizes = self._gaps - self.starts
        hashes = np.full(len(sizes), HASH_OFFSET)
        for place in range(sizes.max()):
            rows = np.flatnonzero(sizes > place)
            hashes[rows] = (hashes[rows] ^ self.text[self.starts[rows] + place]) * HASH_PRIME
        return hashes

    def _refuse(self, wrong: np.ndarray, what: str) -> None:
        """Raise a ValueError of the first line that is ``wrong``."""
        if wrong.any():
            row = int(wrong.argmax())
            line = self.text[self.starts[row] : self.ends[row]].tobytes()
            raise ValueError(
                f"{self._where}{self._number + row}: {line.decode(errors='replace')!r}: {what}: "
                "run stage 7 again"
            )


def _refuse_duplicates(shapes: Shapes) -> None:
    order = np.argsort(shapes.hashes, kind="stable")
    alike = np.flatnonzero(shapes.hashes[order[1:]] == shapes.hashes[order[:-1]])
    for first, second in zip(order[alike], order[alike + 1], strict=True):
        if (utt_id := shapes.utt_id(second)) == shapes.utt_id(first):
            raise ValueError(f"{shapes.path}:{second + 1}: duplicate key {utt_id}")


def read_matching_shapes(paths: list[str]) -> list[Shapes]:
    """Read shape files of the same utterances in the same order.

    Raises:
        ValueError: they are not; names the first line that differs.
    """
    all_shapes = [read_shapes(path) for path in paths]
    first = all_shapes[0]
    for other in all_shapes[1:]:
        common = min(len(first), len(other))
        differs = np.flatnonzero(first.hashes[:common] != other.hashes[:common])
        if len(differs) or len(first) != len(other):
            row = differs[0] if len(differs) else common
            raise ValueError(
                f"{other.path}:{row + 1}: not the utterances of {first.path} in the same order: "
                "run stage 7 again"
            )
    return all_shapes
