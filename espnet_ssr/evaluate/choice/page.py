"""The report as one HTML file that needs nothing else: no server, no scripts, no other files."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from espnet_ssr.datadir import write_lines
from espnet_ssr.environment import describe_environment
from espnet_ssr.evaluate.choice.collect import Runs
from espnet_ssr.evaluate.choice.report_figures import (
    Bands,
    draw_accuracies,
    draw_bands,
    draw_gaps,
)
from espnet_ssr.evaluate.choice.report_tables import Table, make_tables

STYLE = """\
body { font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto; }
td, th { border-bottom: 1px solid #ddd; padding: 3px 9px; text-align: right; white-space: nowrap; }
td.text, th.text { text-align: left; }
img { max-width: 100%; }"""


def write_page(runs: Runs, output: Path, command: str, bands: Mapping[str, Bands]) -> None:
    """Write ``output``.

    Args:
        bands: of models by name: fidelity by frequency and position; may be empty.
    """
    pictures = {"Accuracy by task and mode": draw_accuracies(runs)}
    pictures["What speech costs"] = draw_gaps(runs)
    for by in ("frequency", "position") if bands else ():
        pictures[f"Fidelity by {by} of tokens"] = draw_bands(bands, by)
    environment = " · ".join(f"{k}: {v}" for k, v in describe_environment().items())
    body = [
        "<h1>Choice tasks</h1>",
        f"<p><code>{escape(command)}</code><br>{escape(environment)}</p>",
        *(_picture(title, svg) for title, svg in pictures.items()),
        *(_table(table) for table in make_tables(runs)),
    ]
    head = f'<meta charset="utf-8"><title>Choice tasks</title><style>{STYLE}</style>'
    page = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head>{head}</head><body>',
        *body,
        "</body></html>",
    ]
    output.parent.mkdir(parents=True, exist_ok=True)
    write_lines(output, "\n".join(page).splitlines())


def read_bands(files: Iterable[Path]) -> dict[str, Bands]:
    """``bands`` of ``result.json`` files of stage 10, by the experiment's name.

    Raises:
        ValueError: a file has none.
    """
    found = {}
    for file in files:
        bands = json.loads(file.read_text(encoding="utf-8")).get("bands")
        if bands is None:
            raise ValueError(f"{file}: no bands in it: run stage 10 of that experiment again")
        found[f"{file.absolute().parents[2].name}, {file.absolute().parent.name}"] = bands
    return found


def _picture(title: str, svg: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    image = f'<img alt="{escape(title)}" src="data:image/svg+xml;base64,{data}">'
    return f"<h2>{escape(title)}</h2>\n{image}"


def _table(table: Table) -> str:
    header = _row("th", table.header, table.text_columns)
    rows = "\n".join(_row("td", row, table.text_columns) for row in table.rows)
    notes = re.sub(r"(?<!\\)\*([^*]+)\*", r"<em>\1</em>", escape(table.notes)).replace("\\*", "*")
    return f"<h2>{escape(table.title)}</h2>\n<p>{notes}</p>\n<table>{header}\n{rows}</table>"


def _row(tag: str, cells: list[str], text_columns: int) -> str:
    kinds = [' class="text"' if n < text_columns else "" for n in range(len(cells))]
    marked = zip(kinds, cells, strict=True)
    return "<tr>" + "".join(f"<{tag}{k}>{escape(c)}</{tag}>" for k, c in marked) + "</tr>"
