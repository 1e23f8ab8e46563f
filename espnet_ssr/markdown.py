"""What the Markdown reports have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from espnet_ssr.environment import describe_environment


def table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """A table whose first columns are text, to the left, and whose others are numbers."""
    rule = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """``value`` with so many decimals, ``-`` if there is none."""
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def describe_run(command: str, **more: str) -> str:
    """A list of date, command, ``more`` and the environment."""
    entries = {"date": date.today().isoformat(), "command": f"`{command}`", **more}
    entries |= describe_environment()
    return "\n".join(f"- {name}: {value}" for name, value in entries.items()) + "\n"
