"""Figures in the tables of the committed RESULTS*.md, as records of RESULTS.json."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from espnet_ssr.evaluate.figures import column_of
from espnet_ssr.evaluate.records import Record, name_model

NUMBER = r"[+-]?\d+(?:\.\d+)?(?:e-?\d+)?"
CELL = re.compile(
    rf"({NUMBER})(?: %)?\*?"
    rf"(?: ± ({NUMBER})| \[({NUMBER}), ({NUMBER})\]| \(({NUMBER}) to ({NUMBER})\))?"
)


class Table(NamedTuple):
    """A table, the headings ``##`` and ``###`` that it is below; cells of its rows."""

    section: str
    subsection: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Column:
    """Of a table: which figure its cells are (``{0}``: the first cell of the row, ``{heading}``:
    that of the column); set and tag, if they are not the row's."""

    figure: str
    tag: str | None = None
    set: str | None = None


@dataclass(frozen=True)
class Layout:
    """How to read a table that was written by hand.

    Attributes:
        columns: of cells with figures, by their place.
        model: gives the model and its tag of a row's text.
        commit: of a model; seeds: if there is no column of them.
        renamed: model and figure -> what they are instead.
    """

    set: str
    columns: Mapping[int, Column]
    model: Callable[[list[str]], tuple[str, str]]
    commit: Callable[[str], str]
    seeds: tuple[int, ...] = (0,)
    renamed: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)


def read_tables(text: str) -> Iterator[Table]:
    """All tables of a document, in their order."""
    section, subsection, lines = "", "", []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            lines.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if lines:
            yield Table(section, subsection, lines[0], lines[2:])
            lines = []
        if line.startswith("## "):
            section, subsection = line.removeprefix("## "), ""
        elif line.startswith("### "):
            subsection = line.removeprefix("### ")


def parse_cell(cell: str) -> dict[str, tuple[float, int]]:
    """Suffix of the figure -> value and the number of its decimals; empty: no figure."""
    found = CELL.fullmatch(cell)
    if not found:
        return {}
    value, deviation, *ends = found.groups()
    low, high = (ends[0] or ends[2], ends[1] or ends[3])
    parts = {"": value, "_sd": deviation, "_low": low, "_high": high}
    return {
        suffix: (float(text), len(text.partition(".")[2]))
        for suffix, text in parts.items()
        if text is not None
    }


class Shown(NamedTuple):
    """A figure in a document."""

    record: Record
    digits: int


def read_figures(
    recipe: str, text: str, layouts: Mapping[str, Layout], known: Iterable[Record] = ()
) -> Iterator[Shown]:
    """What the tables show: of those that ``figures_table`` made, and of those with a layout.

    Args:
        layouts: by the section's first words and a heading of the table, ``|`` between.
        known: records whose figures may be in tables that were made.
    """
    known = list(known)
    headings = {column_of(r.figure).heading: r.figure for r in known if not _is_part(r.figure)}
    sets = sorted({r.set for r in known}, key=len, reverse=True)
    for table in read_tables(text):
        if table.header[:3] == ["model", "seeds", "commit"]:
            yield from _made(recipe, table, headings, _set_of(table, sets))
        for key, layout in layouts.items():
            section, _, heading = key.partition("|")
            if table.section.startswith(section) and table.header[0] == heading:
                yield from _written(recipe, table, layout)


def _is_part(figure: str) -> bool:
    return figure.endswith(("_sd", "_low", "_high"))


def _set_of(table: Table, sets: Iterable[str]) -> str:
    """The set that is named in the headings, the lower one first."""
    for heading in (table.subsection, table.section):
        for name in sets:
            if re.search(rf"\b{re.escape(name)}\b", heading, re.IGNORECASE):
                return name
    raise ValueError(f"no heading above the table of {table.header} names a set")


def _made(recipe: str, table: Table, headings: Mapping[str, str], test_set: str) -> Iterator[Shown]:
    for model, seeds, commit, *cells in table.rows:
        for heading, cell in zip(table.header[3:], cells, strict=True):
            for suffix, (value, digits) in parse_cell(cell).items():
                figure = headings[heading] + suffix
                record = Record(recipe, test_set, model, figure, value, _seeds(seeds), commit)
                yield Shown(record, digits)


def _written(recipe: str, table: Table, layout: Layout) -> Iterator[Shown]:
    for row in table.rows:
        name, tag = layout.model(row)
        seeds = layout.seeds
        if "seeds" in table.header:
            seeds = _seeds(row[table.header.index("seeds")])
        for place, column in layout.columns.items():
            used = tag if column.tag is None else column.tag
            for suffix, (value, digits) in parse_cell(row[place]).items():
                model = name_model(name, used)
                heading = table.header[place].replace(" ", "_")
                figure = column.figure.format(*row, heading=heading)
                model, figure = layout.renamed.get((model, figure), (model, figure))
                where = recipe, column.set or layout.set, model, figure + suffix
                yield Shown(Record(*where, value, seeds, layout.commit(name)), digits)


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))
