"""Hours of training against figures, from ``RESULTS.json`` files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.evaluate.figures import column_of
from espnet_ssr.evaluate.records import Record, check_names
from espnet_ssr.plots import plot_scaling

MARK = re.compile(r"[ _](\d+(?:\.\d+)?)h(?![A-Za-z0-9])")
"""Hours in a model's name: ``hull 3h``, ``hull_0.3h``."""


class Panel(NamedTuple):
    """One figure on one set."""

    set: str
    figure: str

    @property
    def label(self) -> str:
        heading = column_of(self.figure).heading
        if self.figure.startswith("token_accuracy_"):
            heading = f"accuracy, tokens {heading}"
        return f"{heading}, {self.set}"


class Point(NamedTuple):
    """``deviation``: over seeds; 0: of one seed."""

    hours: float
    value: float
    deviation: float


Curves = dict[str, list[Point]]
"""Model, without the hours in its name -> points by hours."""


def parse_panel(text: str) -> Panel:
    """``SET:FIGURE``.

    Raises:
        ValueError: it is of another form, or there is no such figure.
    """
    test_set, mark, figure = text.partition(":")
    if not (test_set and mark):
        raise ValueError(
            f"panel {text}: it should be SET:FIGURE, e.g. asterisk_test:token_accuracy"
        )
    column_of(figure)
    return Panel(test_set, figure)


def collect_curves(
    records: Iterable[tuple[float | None, Record]], panels: Sequence[Panel]
) -> dict[Panel, Curves]:
    """Points of all models whose hours are known.

    Args:
        records: each with the hours that its model was trained on; None: they are in the model's
            name (``3h``), or the model has a figure ``hours``.

    Raises:
        ValueError: a model has two values for the same hours.
    """
    records = list(records)
    known = {r.model.split(", ")[0]: r.value for _, r in records if r.figure == "hours"}
    values = {(hours, r.set, r.model, r.figure): r.value for hours, r in records}
    found: dict[Panel, Curves] = {panel: {} for panel in panels}
    for given, record in records:
        panel = Panel(record.set, record.figure)
        hours = _hours(record.model, known) if given is None else given
        if panel not in found or hours is None:
            continue
        deviation = values.get((given, record.set, record.model, f"{record.figure}_sd"), 0.0)
        points = found[panel].setdefault(MARK.sub("", record.model), [])
        if any(point.hours == hours for point in points):
            raise ValueError(f"{record.model}, {panel.label}: two values for {hours:g} hours")
        points.append(Point(hours, record.value, deviation))
    return {
        panel: {model: sorted(points) for model, points in curves.items()}
        for panel, curves in found.items()
    }


def _hours(model: str, known: Mapping[str, float]) -> float | None:
    if found := MARK.search(model):
        return float(found[1])
    return known.get(model.split(", ")[0])


def draw_scaling(
    path: Path,
    records: Sequence[tuple[float | None, Record]],
    panels: Sequence[Panel],
    models: Sequence[str] = (),
    levels: Sequence[str] = (),
    title: str = "",
) -> None:
    """Write a picture with a panel for each of ``panels``.

    Args:
        records: see ``collect_curves``.
        models: only these, by the names that they have without hours; none: all.
        levels: models that are dashed lines across the panels, of which they have a figure.

    Raises:
        ValueError: there is nothing to draw in a panel, or no such model at all.
    """
    curves = collect_curves(records, panels)
    check_names("model", models, (model for found in curves.values() for model in found))
    check_names("model", levels, (record.model for _, record in records))
    lines: dict[Panel, dict[str, float]] = {panel: {} for panel in panels}
    for _, record in records:
        panel = Panel(record.set, record.figure)
        if record.model in levels and panel in lines:
            lines[panel][record.model] = record.value
    chosen = {
        panel: {
            model: points
            for model, points in found.items()
            if model not in levels and (not models or model in models)
        }
        for panel, found in curves.items()
    }
    for panel, found in chosen.items():
        if not found:
            have = ", ".join(curves[panel]) or "none"
            raise ValueError(f"{panel.set}:{panel.figure}: nothing to draw; models there: {have}")
    plot_scaling(
        path,
        {panel.label: found for panel, found in chosen.items()},
        {panel.label: found for panel, found in lines.items()},
        title,
    )
