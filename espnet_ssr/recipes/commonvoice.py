"""Common Voice (CC0): sentences read by volunteers into their own microphones, mp3.

A release has a folder for each language, with ``clips/*.mp3`` and tables ``train.tsv``,
``dev.tsv``, ``test.tsv`` (no speaker in two of them, no sentence twice), ``validated.tsv`` and
others. Columns are found by their names, which are the same in all releases: ``client_id`` (a
volunteer), ``path``, ``sentence``.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.prepared import Entry, Prepared

COLUMNS = ("client_id", "path", "sentence")
SPEAKER_DIGITS = 12


def find_table(corpus_dir: Path, part: str) -> Path:
    """The table of a part, in `corpus_dir`, which is the folder of a language.

    Raises:
        CorpusError: there is none, or no folder ``clips``; the message says what there is.
    """
    table = corpus_dir / f"{part}.tsv"
    if table.is_file() and (corpus_dir / "clips").is_dir():
        return table
    found = sorted(path.relative_to(corpus_dir) for path in corpus_dir.glob("**/*.tsv"))[:10]
    there = f"only {' '.join(map(str, found))}" if found else "no .tsv at all"
    raise CorpusError(
        f"{corpus_dir}: no {part}.tsv with a folder clips beside it, {there}; give the folder of "
        "the language, such as cv-corpus-17.0-2024-03-15/en"
    )


def name_speaker(client_id: str) -> str:
    """A short name for a volunteer, always the same one; releases have 128 digits for it."""
    return hashlib.sha256(client_id.encode()).hexdigest()[:SPEAKER_DIGITS]


def read_table(table: Path) -> tuple[list[Entry], dict[str, tuple[str, str]]]:
    """Read a ``.tsv``; quotes in it are those of the sentences.

    Returns:
        What it says of each clip, and lines that are none (``bad_line``, ``bad_utf8``), by file and
        line.

    Raises:
        CorpusError: it lacks a column.
    """
    entries: list[Entry] = []
    dropped: dict[str, tuple[str, str]] = {}
    with open(table, encoding="utf-8", errors="replace", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if absent := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise CorpusError(f"{table}:1: no column {absent[0]}; is this a table of clips?")
        for row in rows:
            client_id, path, sentence = (row[name] for name in COLUMNS)
            cause = ""
            if not client_id or not path or sentence is None or None in row:
                cause = "bad_line"
            elif "\N{REPLACEMENT CHARACTER}" in sentence:
                cause = "bad_utf8"
            if cause:
                where = f"{table.name}:{rows.line_num}"
                dropped[where] = (cause, f"{table}:{rows.line_num}: {path} {sentence!r}")
                continue
            speaker = name_speaker(client_id)
            # Old releases leave the suffix out.
            clip = table.parent / "clips" / f"{path.removesuffix('.mp3')}.mp3"
            entries.append(Entry(f"{speaker}-{clip.stem}", sentence, clip, speaker))
    return entries, dropped


def prepare_commonvoice(corpus_dir: Path, part: str, output_dir: Path, nj: int = 1) -> Prepared:
    """Write the Kaldi data directory ``output_dir`` of a part of Common Voice, with ``dropped``.

    Causes of what is left out are those of `read_table` and of `Prepared.add`.

    Args:
        corpus_dir: folder of a language, with ``clips`` in it.
        part: such as ``train``.
        output_dir: replaced if it is there.
        nj: files that are read at once.

    Raises:
        CorpusError: the part is not there, or nothing of it can be used.
    """
    table = find_table(corpus_dir, part)
    prepared = Prepared()
    entries, prepared.dropped = read_table(table)
    prepared.add_all(entries, None, nj, f"read {part}")
    prepared.write(output_dir, table)
    return prepared
