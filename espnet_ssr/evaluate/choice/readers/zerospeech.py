"""sWUGGY and sBLIMP of the Zero Resource Speech Challenge 2021 (Nguyen et al., 2020): pairs of a
word and a non-word, of a good and a bad sentence, each spoken by several voices. The folders
``lexical/{dev,test}`` and ``syntactic/{dev,test}`` have ``gold.csv`` and the files it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.evaluate.choice.readers.files import read_table
from espnet_ssr.evaluate.choice.readers.record import Record, Skipped

GOLD = "gold.csv"
SIDES = {"1": "good", "0": "bad"}  # `correct` in gold.csv -> field


class _Row(NamedTuple):
    """A row of gold.csv and where it is."""

    where: str
    cells: dict[str, str]


def read_swuggy(path: Path, skipped: Skipped) -> Iterator[Record]:
    """Fields ``good``, ``bad`` and ``frequency``, which is ``oov`` for words that are not in
    LibriSpeech and else ``in vocabulary``."""
    keys = ("id", "voice")
    for record_id, pair in _read_pairs(path, keys, ("word", "frequency"), skipped):
        known = pair["good"].cells["frequency"] not in ("", "0", "0.0")
        fields = {"frequency": "in vocabulary" if known else "oov"}
        yield from _record(path, record_id, pair, "word", fields, skipped)


def read_sblimp(path: Path, skipped: Skipped) -> Iterator[Record]:
    """Fields ``good``, ``bad`` and ``paradigm``."""
    keys = ("type", "subtype", "id", "voice")
    for record_id, pair in _read_pairs(path, keys, ("transcription",), skipped):
        fields = {"paradigm": pair["good"].cells["subtype"]}
        yield from _record(path, record_id, pair, "transcription", fields, skipped)


def _read_pairs(
    folder: Path, keys: Sequence[str], columns: Sequence[str], skipped: Skipped
) -> Iterator[tuple[str, dict[str, _Row]]]:
    """Ids of pairs, made of the cells of ``keys``, with the rows of their good and bad side."""
    if not (folder / GOLD).is_file():
        raise ValueError(f"{folder}: no {GOLD} in it; it should be lexical/dev or the like")
    pairs: dict[str, dict[str, _Row]] = {}
    needed = (*keys, *columns, "filename", "correct")
    for where, cells in read_table(folder / GOLD, skipped, needed):
        side = SIDES.get(cells["correct"])
        pair = pairs.setdefault("-".join(cells[key] for key in keys), {})
        if side is None:
            skipped.add(where, "correct is neither 0 nor 1", repr(cells["correct"]))
        elif side in pair:
            skipped.add(where, f"a second {side} one of its pair", f"(see {pair[side].where})")
        else:
            pair[side] = _Row(where, cells)
    for record_id, pair in pairs.items():
        if len(pair) == len(SIDES):
            yield record_id, pair
        for row in pair.values():
            if len(pair) < len(SIDES):
                skipped.add(row.where, "the other one of its pair is missing")


def _record(
    folder: Path,
    record_id: str,
    pair: dict[str, _Row],
    column: str,
    fields: dict[str, str],
    skipped: Skipped,
) -> Iterator[Record]:
    """The pair, if it has its audio; ``column`` has the text."""
    audio = {}
    for side, (where, cells) in pair.items():
        file = folder / f"{cells['filename'].removesuffix('.wav')}.wav"
        if not file.is_file():
            skipped.add(where, "audio is missing", str(file))
            return
        audio[side] = str(file)
    texts = {side: row.cells[column] for side, row in pair.items()}
    yield Record(record_id, fields | texts, pair["good"].where, audio)
