"""BLiMP (Warstadt et al., TACL 2020): 67 paradigms of 1000 pairs of a good and a bad sentence that
differ little; a file a paradigm in ``data/`` of its repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from espnet_ssr.evaluate.choice.readers.files import find_files, read_json_lines
from espnet_ssr.evaluate.choice.readers.record import Record, Skipped


def read_blimp(path: Path, skipped: Skipped) -> Iterator[Record]:
    """Fields ``good``, ``bad`` and ``paradigm``, of the folder or of one of its files."""
    for file in find_files(path, "*.jsonl"):
        names = ("UID", "pairID", "sentence_good", "sentence_bad")
        for where, row in read_json_lines(file, skipped, names):
            paradigm, number, good, bad = (str(row[name]).strip() for name in names)
            fields = {"paradigm": paradigm, "good": good, "bad": bad}
            yield Record(f"{paradigm}-{number}", fields, where)
