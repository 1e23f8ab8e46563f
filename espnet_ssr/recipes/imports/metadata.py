"""Folders with a table: Hugging Face's ``audiofolder``, and what is like it.

``metadata.csv`` or ``metadata.jsonl`` has a row for each audio file: ``file_name``, a path from the
table's folder, the text, and perhaps the speaker. The table may lie in the folder itself, or one in
each of its folders ``train``, ``validation`` and ``test``.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from espnet_ssr.progress import Progress
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports.collect import Imported, make_utt_id
from espnet_ssr.recipes.imports.columns import (
    SPEAKER,
    choose_column,
    need_text_column,
    set_name,
)
from espnet_ssr.recipes.imports.sets import Parts

FILE = "file_name"


def import_audiofolder(
    folder: Path, text_column: str | None = None, speaker_column: str | None = None
) -> Parts:
    """Read the tables of a folder; audio that no row names is not looked at.

    Args:
        text_column: None: the first of `columns.TEXT` that is there.
        speaker_column: None: the first of `columns.SPEAKER` that is there, if any.

    Raises:
        CorpusError: there is no table, one of them is none, or a column is missing.
    """
    tables = {"train": folder, **{path.name: path for path in sorted(folder.glob("*"))}}
    found = {
        set_name(name): path / file
        for name, path in tables.items()
        for file in ("metadata.csv", "metadata.jsonl")
        if (path / file).is_file()
    }
    if not found:
        raise CorpusError(
            f"{folder.absolute()}: no metadata.csv or metadata.jsonl in it or in a folder of it"
        )
    return {name: read_part(path, text_column, speaker_column) for name, path in found.items()}


def read_part(table: Path, text_column: str | None, speaker_column: str | None) -> Imported:
    """The files that a table names.

    Raises:
        CorpusError: as `import_audiofolder`.
    """
    rows = read_rows(table)
    columns = list(rows[0])
    try:
        choose_column(columns, FILE, ())
        text_column = need_text_column(columns, text_column)
        speaker_column = choose_column(columns, speaker_column, SPEAKER)
    except CorpusError as error:
        raise CorpusError(f"{table}: {error}") from None
    imported = Imported()
    progress = Progress(len(rows), f"read {table.parent.name}")
    for row in rows:
        progress.update()
        speaker = str(row.get(speaker_column) or "") if speaker_column else ""
        path = table.parent / str(row[FILE])
        utt_id = make_utt_id(speaker, Path(row[FILE]).with_suffix("").as_posix())
        imported.add_file(utt_id, str(row[text_column] or ""), path, speaker)
    return imported


def read_rows(table: Path) -> list[dict]:
    """The rows of a table, at least one.

    Raises:
        CorpusError: it is not UTF-8, has no row, or one that does not fit the first.
    """
    rows = []
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file) if table.suffix == ".csv" else map(json.loads, file)
            for row in reader:
                rows.append(row)
                # csv.DictReader has None for what a row lacks, and as the key of what is too much.
                is_ragged = table.suffix == ".csv" and (None in row or None in row.values())
                if rows[0].keys() != row.keys() or is_ragged:
                    raise ValueError("its columns are not those of the first row")
    except (ValueError, csv.Error) as error:
        raise CorpusError(f"{table}: row {len(rows)}: {error}") from None
    if not rows:
        raise CorpusError(f"{table}: no rows")
    return rows
