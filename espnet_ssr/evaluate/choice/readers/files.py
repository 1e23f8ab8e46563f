"""Lines, tables and JSON lines of files that may be damaged: what is broken is left out and named
by its line, the rest is read."""

from __future__ import annotations

import bz2
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_ssr.evaluate.choice.readers.record import Skipped

NOT_UTF8 = "not UTF-8"


def find_files(path: Path, pattern: str) -> list[Path]:
    """``path`` itself if it is a file, or the files in it that the pattern fits, sorted.

    Raises:
        ValueError: there is none.
    """
    if path.is_file():
        return [path]
    if files := sorted(file for file in path.glob(pattern) if file.is_file()):
        return files
    problem = f"no {pattern} in it" if path.is_dir() else "no such file or folder"
    raise ValueError(f"{path}: {problem} (local/eval_data.sh says where benchmarks come from)")


def read_lines(path: Path) -> list[str]:
    """Lines of a file, plain or bz2, with their ends. Bytes that are no UTF-8 become surrogates."""
    opened = bz2.open if path.suffix == ".bz2" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as f:
        return list(f)


def is_unicode(text: str) -> bool:
    """Whether it holds no surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def read_csv(
    lines: Sequence[str], path: Path, skipped: Skipped, delimiter: str = ","
) -> Iterator[tuple[str, list[str]]]:
    """Rows that are not empty, each with ``file:line`` of where it begins.

    Cells may hold quotes, delimiters and line breaks. A quote that is not closed would swallow the
    rest of the file: such a line is left out, and reading goes on after it.

    Args:
        lines: of ``path``.
    """
    start = 0
    while start < len(lines):
        reader = csv.reader(lines[start:], delimiter=delimiter, strict=True)
        done = 0
        try:
            for cells in reader:
                where = f"{path}:{start + done + 1}"
                done = reader.line_num
                if not is_unicode("".join(cells)):
                    skipped.add(where, NOT_UTF8)
                elif any(cell.strip() for cell in cells):
                    yield where, cells
        except csv.Error as error:
            skipped.add(f"{path}:{start + done + 1}", "not csv", f"({error})")
            done += 1
        start += done


def read_table(
    path: Path, skipped: Skipped, columns: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a csv file with a header, without spaces around the cells. Commas separate them, or
    semicolons or tabulators if the header has more of these.

    Raises:
        ValueError: it lacks one of ``columns``.
    """
    lines = read_lines(path)
    delimiter = max(",;\t", key=(lines or [""])[0].count)
    rows = read_csv(lines, path, skipped, delimiter)
    _, header = next(rows, ("", []))
    for name in columns:
        if name not in header:
            raise ValueError(f"{path}:1: no column {name}; there are: {', '.join(header)}")
    for where, cells in rows:
        if len(cells) != len(header):
            skipped.add(where, f"{len(cells)} columns instead of {len(header)}")
        else:
            yield where, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def read_json_lines(
    path: Path, skipped: Skipped, names: Sequence[str]
) -> Iterator[tuple[str, dict]]:
    """Objects that have all of ``names``, one a line, each with its ``file:line``."""
    for number, line in enumerate(read_lines(path), 1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            skipped.add(where, "not JSON", f"({error})")
            continue
        missing = [name for name in names if not isinstance(row, dict) or name not in row]
        if missing:
            skipped.add(where, f"no {missing[0]}")
        elif not is_unicode(json.dumps(row, ensure_ascii=False)):
            skipped.add(where, NOT_UTF8)
        else:
            yield where, row
