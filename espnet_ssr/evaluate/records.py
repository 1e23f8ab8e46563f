"""``RESULTS.json``: every figure that a RESULTS.md has, for programs; tables are made from it.

A list of objects, one a line, with these keys:

- ``recipe``: the folder below ``egs2``; ``set``: the test set, ``choice`` for choice tasks;
- ``model``: its name, then what it is or how it was used, with commas between: ``forced``
  (segments cut by transcripts), ``textless`` (by the aligner's guess), ``own`` (the connector finds
  them by itself), ``through the LLM``, ``fine-tuned``, ``cascade``, and the names of controls;
- ``figure``: a key of ``figures.FIGURES``, or ``accuracy_``, ``gap_`` with task and mode of a
  choice task (``gap_hellaswag_S->T``); with ``_sd`` the standard deviation over the seeds, with
  ``_low`` and ``_high`` the 95 % interval;
- ``value``: in the unit of the tables: shares for accuracies of tokens, per cent for error rates
  and accuracies of tasks, points for gaps and changes, nats for M and F;
- ``seeds`` that it is the mean of; ``commit`` of the code that trained the model, or that measured
  it where nothing was trained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from espnet_ssr.datadir import write_lines


@dataclass(frozen=True)
class Record:
    """One figure; see the module."""

    recipe: str
    set: str
    model: str
    figure: str
    value: float
    seeds: tuple[int, ...]
    commit: str


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Write a ``RESULTS.json``.

    Raises:
        ValueError: a figure of a model on a set is there twice.
    """
    seen = set()
    for record in records:
        key = record.recipe, record.set, record.model, record.figure
        if key in seen:
            raise ValueError(f"{path}: {', '.join(key)}: there are two of it")
        seen.add(key)
    lines = [json.dumps(asdict(record), ensure_ascii=False) for record in records]
    write_lines(path, ["[", *(f"{line}," for line in lines[:-1]), *lines[-1:], "]"])


def read_records(paths: Iterable[Path]) -> list[Record]:
    """What ``write_records`` wrote.

    Raises:
        ValueError: names the file, and the entry that is of another form.
    """
    names = {field.name for field in fields(Record)}
    records = []
    for path in paths:
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: not JSON ({error})") from None
        if not isinstance(entries, list):
            raise ValueError(f"{path}: not a list of figures")
        for number, entry in enumerate(entries, 1):
            if not isinstance(entry, dict) or set(entry) != names:
                expected = ", ".join(sorted(names))
                raise ValueError(f"{path}: entry {number}: its keys should be {expected}")
            records.append(Record(**{**entry, "seeds": tuple(entry["seeds"])}))
    return records


def check_names(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Whether ``names`` that were asked for are among those that are there.

    Raises:
        ValueError: the first one that is not; the message says which are.
    """
    known = dict.fromkeys(known)
    for name in names:
        if name not in known:
            raise ValueError(f"no {kind} {name!r}; there are {'; '.join(known) or 'none'}")


def name_model(name: str, *tags: str) -> str:
    """``ssr_block, forced``; empty tags are left out."""
    return ", ".join([name, *filter(None, tags)])


def has_tag(model: str, tag: str) -> bool:
    """Whether a model's name is followed by ``tag``."""
    return tag in model.split(", ")[1:]


def recipe_of(folder: Path) -> str:
    """``asterisk`` of ``egs2/asterisk/ssr1``; of another folder its own name."""
    folder = folder.absolute()
    return folder.parent.name if re.fullmatch(r"ssr\d*", folder.name) else folder.name


def commit_of(version: str) -> str:
    """``abc`` of ``0.1.0 (commit abc)``; what is of another form as it is."""
    found = re.search(r"commit ([^)\s]+)", version)
    return found[1] if found else version
