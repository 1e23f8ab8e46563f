"""HellaSwag (Zellers et al., ACL 2019): the beginning of a text and four ways in which it may go
on. The official ``hellaswag_val.jsonl``, or a text file, plain or bz2, with six lines a question:
context, index of the right ending, four endings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_ssr.evaluate.choice.readers.files import (
    NOT_UTF8,
    find_files,
    is_unicode,
    read_json_lines,
    read_lines,
)
from espnet_ssr.evaluate.choice.readers.record import Record, Skipped

NUM_ENDINGS = 4
INDEX = re.compile(r"[0-3]\s*")


def read_hellaswag(path: Path, skipped: Skipped) -> Iterator[Record]:
    """Fields ``context``, ``ending0`` to ``ending3`` and ``answer``.

    Raises:
        ValueError: there is no file, or several.
    """
    files = find_files(path, "hellaswag_val*")
    if len(files) > 1:
        raise ValueError(f"{path}: {files[0].name} and {files[1].name}: name one of them")
    read = _read_official if files[0].suffix == ".jsonl" else _read_text
    return read(files[0], skipped)


def _read_official(path: Path, skipped: Skipped) -> Iterator[Record]:
    """Texts are those that lm-evaluation-harness makes of the official file."""
    names = ("ind", "activity_label", "ctx_a", "ctx_b", "endings", "label")
    for where, row in read_json_lines(path, skipped, names):
        context = f"{row['activity_label']}: {row['ctx_a']} {str(row['ctx_b']).capitalize()}"
        endings = row["endings"] if isinstance(row["endings"], list) else []
        if _all_there(endings, where, skipped):
            texts = [_without_marks(str(text)) for text in (context, *endings)]
            yield _record(str(row["ind"]), texts, str(row["label"]), where)


def _without_marks(text: str) -> str:
    """Text without the marks of WikiHow's headings."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def _read_text(path: Path, skipped: Skipped) -> Iterator[Record]:
    """An index tells where a question begins, so that one of another number of lines is only that.

    The id is the number of the question's first line.
    """
    lines = read_lines(path)
    starts = [n - 1 for n, line in enumerate(lines) if n and INDEX.fullmatch(line)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        where = f"{path}:{start + 1}"
        texts = [lines[start], *lines[start + 2 : end]]
        if not is_unicode("".join(texts)):
            skipped.add(where, NOT_UTF8)
        elif _all_there(texts[1:], where, skipped):
            yield _record(str(start + 1), texts, lines[start + 1].strip(), where)


def _all_there(endings: Sequence, where: str, skipped: Skipped) -> bool:
    if len(endings) != NUM_ENDINGS:
        skipped.add(where, f"{len(endings)} choices instead of {NUM_ENDINGS}")
    return len(endings) == NUM_ENDINGS


def _record(record_id: str, texts: Sequence[str], answer: str, where: str) -> Record:
    names = ("context", *(f"ending{n}" for n in range(NUM_ENDINGS)))
    fields = {name: text.strip() for name, text in zip(names, texts, strict=True)}
    return Record(record_id, {**fields, "answer": answer}, where)
