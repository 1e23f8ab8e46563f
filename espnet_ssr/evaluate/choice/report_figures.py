"""Pictures of the report, each as the text of an SVG file."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402 (the backend is chosen first)

from espnet_ssr.evaluate.choice.collect import HEARING, TOPLINE, Runs, difference  # noqa: E402

GOAL = 1.0  # points between text and speech, at most
Bands = Mapping[str, list[dict]]
"""``frequency`` and ``position``; see ``espnet_ssr.evaluate.fidelity_bands``."""


def draw_accuracies(runs: Runs) -> str:
    """A panel a task: bars of all systems in each mode, with their intervals."""
    height = 3.2 * len(runs.asked)
    figure, axes = pyplot.subplots(len(runs.asked), figsize=(9, height), squeeze=False)
    for asked, axis in zip(runs.asked, axes[:, 0], strict=True):
        _draw_task(axis, runs, asked)
    axes[0, 0].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return _svg(figure)


def _draw_task(axis, runs: Runs, asked: str) -> None:
    modes = runs.modes(asked)
    width = 0.85 / max(len(runs.systems), 1)
    for i, system in enumerate(runs.systems):
        run = runs.find(system, asked)
        shown = [
            (m, run.accuracy(mode)) for m, mode in enumerate(modes) if run and run.accuracy(mode)
        ]
        x = np.array([m for m, _ in shown]) + (i - (len(runs.systems) - 1) / 2) * width
        values = np.array([100 * figure["value"] for _, figure in shown])
        ends = 100 * np.array([figure["interval"] for _, figure in shown]).reshape(-1, 2).T
        errors = np.abs(ends - values)
        axis.bar(x, values, width, yerr=errors, label=system, color=f"C{i % 10}", capsize=2)
    chances = [r.result["modes"][m]["chance"] for r in runs.of_task(asked) for m in r.answers]
    if chances:
        axis.axhline(100 * chances[0], color="black", linestyle="--", linewidth=0.8)
    axis.set_xticks(range(len(modes)), modes)
    axis.set_ylabel("accuracy (%)")
    axis.set_title(f"{asked} (dashed: chance)", parse_math=False)


def draw_gaps(runs: Runs) -> str:
    """Points that speech costs, with intervals, for each task, mode and system."""
    found = []
    for run in runs:
        topline = runs.of_kind(TOPLINE, run.asked)
        for mode in run.answers if run.kind in HEARING else ():
            gap = difference(topline, "T", run, mode) if mode != "T" else None
            if gap is not None:
                found.append((f"{run.asked} {mode}: {run.system}", gap.difference))
    figure, axis = pyplot.subplots(figsize=(9, 0.3 * len(found) + 1.2))
    for row, (_, (value, (low, high))) in enumerate(found):
        axis.plot([-100 * high, -100 * low], [row, row], color="C0")
        axis.plot(-100 * value, row, "o", color="C0")
    axis.set_yticks(range(len(found)), [name for name, _ in found], parse_math=False)
    axis.invert_yaxis()
    axis.axvline(0, color="black", linewidth=0.8)
    axis.axvline(GOAL, color="gray", linestyle="--", linewidth=0.8)
    axis.set_xlabel(f"text less speech (points; dashed: the goal, {GOAL:g})")
    return _svg(figure)


def draw_bands(models: Mapping[str, Bands], by: str) -> str:
    """Token accuracy and centred cosine by ``frequency`` or ``position``, a line a model."""
    there = {(b["from"], _band_name(b)) for bands in models.values() for b in bands[by]}
    names = [name for _, name in sorted(there)]
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.6))
    for axis, key in zip(axes, ("token_accuracy", "centred_cosine"), strict=True):
        for model, bands in models.items():
            x = [names.index(_band_name(band)) for band in bands[by]]
            axis.plot(x, [band[key] for band in bands[by]], "o-", label=model)
        axis.set_xticks(range(len(names)), names, fontsize=8)
        axis.set(xlabel=_AXES[by], ylabel=key.replace("_", " "))
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    return _svg(figure)


_AXES = {"frequency": "occurrences in the training set", "position": "position in the utterance"}


def _band_name(band: dict) -> str:
    first, last = band["from"], band["to"]
    if last is None:
        return f"{first}+"
    return str(first) if first == last else f"{first}-{last}"


def _svg(figure) -> str:
    buffer = io.StringIO()
    figure.tight_layout()
    # Without a date the same figures give the same file.
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return buffer.getvalue()
