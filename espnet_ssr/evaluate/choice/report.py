"""The report of all runs as Markdown, with its figures as ``RESULTS.json``."""

from __future__ import annotations

from pathlib import Path

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.choice.collect import Runs
from espnet_ssr.evaluate.choice.report_records import make_records
from espnet_ssr.evaluate.choice.report_tables import make_tables
from espnet_ssr.evaluate.records import write_records
from espnet_ssr.markdown import describe_run, table


def write_report(runs: Runs, output: Path, command: str, recipe: str) -> None:
    """Write ``output``, and its main figures beside it with the suffix ``.json``."""
    sections = ["# Choice tasks\n", describe_run(command)]
    for made in make_tables(runs):
        sections += [f"## {made.title}\n", f"{made.notes}\n"]
        sections.append(table(made.header, made.rows, made.text_columns))
    output.parent.mkdir(parents=True, exist_ok=True)
    write_lines(output, "\n".join(sections).splitlines())
    write_records(output.with_suffix(".json"), make_records(runs, recipe))
