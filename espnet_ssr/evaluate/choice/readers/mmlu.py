"""MMLU (Hendrycks et al., ICLR 2021): questions of 57 subjects with four choices, a file a subject;
official, ``<subject>_{dev,val,test}.csv`` without header, or MMLU-Redux, ``mmlu_<subject>.csv``
with a header, less the questions that its annotators found wrong or could not judge."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_ssr.evaluate.choice.readers.files import find_files, read_csv, read_lines, read_table
from espnet_ssr.evaluate.choice.readers.record import Record, Skipped

LETTERS = "ABCD"
REDUX_COLUMNS = ("question", "choices", "answer", "error_type")


def read_mmlu(path: Path, skipped: Skipped) -> Iterator[Record]:
    """Fields ``subject``, ``question``, ``a`` to ``d`` and ``answer``, the right one's index, of
    a folder or of one file. Ids have the number of the line."""
    for file in find_files(path, "*.csv"):
        if file.name.startswith("mmlu_"):
            yield from _read_redux(file, skipped)
        else:
            yield from _read_official(file, skipped)


def _read_official(path: Path, skipped: Skipped) -> Iterator[Record]:
    subject = re.sub("_(dev|val|test)$", "", path.stem)
    for where, cells in read_csv(read_lines(path), path, skipped):
        cells = [cell.strip() for cell in cells]
        letter = cells[-1]
        answer = str(LETTERS.index(letter)) if letter in tuple(LETTERS) else letter
        yield from _record(subject, cells[0], cells[1:-1], answer, where, skipped)


def _read_redux(path: Path, skipped: Skipped) -> Iterator[Record]:
    subject = path.stem.removeprefix("mmlu_")
    for where, row in read_table(path, skipped, REDUX_COLUMNS):
        found = row["error_type"].lower().replace("_", " ")
        if found != "ok":
            skipped.add(where, f"annotated: {found}")
            continue
        try:
            choices = [str(choice).strip() for choice in ast.literal_eval(row["choices"])]
        except (ValueError, SyntaxError, TypeError):
            skipped.add(where, "choices are no list")
            continue
        yield from _record(subject, row["question"], choices, row["answer"], where, skipped)


def _record(
    subject: str, question: str, choices: Sequence[str], answer: str, where: str, skipped: Skipped
) -> Iterator[Record]:
    """The question, if it has four choices."""
    if len(choices) != len(LETTERS):
        skipped.add(where, f"{len(choices)} choices instead of {len(LETTERS)}")
        return
    fields = {"subject": subject.replace("_", " "), "question": question, "answer": answer}
    fields |= zip(LETTERS.lower(), choices, strict=True)
    line = where.rpartition(":")[2]
    yield Record(f"{subject}-{line}", fields, where)
