"""Pictures, where people would rather look than read. All functions write one PNG file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402 (the backend is chosen first)

_MARKERS = "osD^vPX*<>"
_DASHES = ("--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))


def plot_alignment(
    path: Path,
    speech: np.ndarray,
    sample_rate: int,
    spans: Sequence,
    title: str,
    reference: Sequence = (),
) -> None:
    """Waveform and spectrogram of ``speech`` ``(N,)`` with edges and labels of ``spans``
    (objects with ``start`` and ``end`` in seconds and a ``label``) and, in another colour, the
    edges of ``reference`` spans."""
    # Long utterances get a wider picture, or their words could not be told apart.
    width = np.clip(1.2 * len(speech) / sample_rate, 12, 60)
    figure, (wave, spectrum) = pyplot.subplots(
        2, 1, figsize=(width, 5), sharex=True, height_ratios=(1, 2)
    )
    wave.plot(np.arange(len(speech)) / sample_rate, speech, linewidth=0.4, color="tab:blue")
    wave.set_ylabel("amplitude")
    # A floor 80 dB below the loudest: digital silence would be minus infinity.
    floor = 20 * np.log10(max(np.abs(speech).max(), 1e-5)) - 120
    spectrum.specgram(
        speech, NFFT=512, Fs=sample_rate, noverlap=352, cmap="magma", vmin=floor, scale="dB"
    )
    spectrum.set(xlabel="time (s)", ylabel="frequency (Hz)")
    top = sample_rate / 2
    for axis in (wave, spectrum):
        _draw_edges(axis, spans, "tab:green", "-")
        _draw_edges(axis, reference, "tab:cyan", "--")
    for span in spans:
        middle = (span.start + span.end) / 2
        label = spectrum.text(middle, top * 0.93, span.label, color="white", ha="center")
        label.set_parse_math(False)  # "$5" is no formula
    wave.set_title(f"{title} (dashed: reference)" if reference else title, parse_math=False)
    _save(figure, path)


def _draw_edges(axis, spans: Sequence, color: str, style: str) -> None:
    for span in spans:
        axis.axvspan(span.start, span.end, facecolor="none", edgecolor=color, linestyle=style)


def plot_histogram(path: Path, values: Sequence[float], label: str) -> None:
    """Histogram of ``values`` between their 0.5th and 99.5th percentile, median marked."""
    figure, axis = pyplot.subplots(figsize=(7, 4))
    if len(values):
        values = np.round(values, 6)  # values that differ by a rounding error cannot be binned
        axis.hist(np.clip(values, *np.percentile(values, [0.5, 99.5])), bins=60, color="tab:blue")
        median = float(np.median(values))
        axis.axvline(median, color="tab:orange", label=f"median {median:.3g}")
        axis.legend()
    axis.set(xlabel=label, ylabel="count", title=f"n = {len(values)}")
    _save(figure, path)


def plot_bars(path: Path, groups: dict[str, dict[str, float]], title: str) -> None:
    """Grouped bars: ``{row: {figure: value}}``, all figures between 0 and 1."""
    names = list(next(iter(groups.values())))
    figure, axis = pyplot.subplots(figsize=(1.6 * len(names) + 0.9 * len(groups) + 3, 4.5))
    width = 0.85 / len(groups)
    for i, (row, values) in enumerate(groups.items()):
        position = np.arange(len(names)) + (i - (len(groups) - 1) / 2) * width
        bars = axis.bar(position, [values[name] for name in names], width, label=row)
        axis.bar_label(bars, fmt="%.2f", fontsize=7)
    axis.set_xticks(np.arange(len(names)), names)
    axis.axhline(0, color="black", linewidth=0.6)
    axis.set_title(title)
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    _save(figure, path)


def plot_error_curves(path: Path, errors: dict[str, np.ndarray], title: str) -> None:
    """Share of words whose absolute error, ``(words,)`` in ms, is at most so much: a curve each."""
    figure, axis = pyplot.subplots(figsize=(8, 5))
    for name, values in errors.items():
        share = np.arange(1, len(values) + 1) / max(len(values), 1)
        axis.step(np.sort(values), share, where="post", label=name)
    axis.set(xlim=(0, 200), ylim=(0, 1), xlabel="absolute error (ms)", ylabel="share of words")
    axis.set_title(title)
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")
    _save(figure, path)


def plot_panels(
    path: Path,
    points: dict[str, list[dict[str, float]]],
    x_names: Sequence[str],
    y_names: Sequence[str],
    title: str,
    levels: dict[str, dict[str, float]],
) -> None:
    """Every figure of ``y_names`` against every one of ``x_names``, a panel each.

    Args:
        points: ``{row: [{figure: value}]}``, a marker an item of the list; what lacks a figure is
            left out of its panels.
        levels: ``{y name: {label: value}}``, dashed lines across its panels.
    """
    shape = (len(y_names), len(x_names))
    figure, axes = pyplot.subplots(
        *shape, figsize=(4.2 * shape[1], 3.6 * shape[0]), sharex="col", sharey="row", squeeze=False
    )
    for y_name, row in zip(y_names, axes, strict=True):
        row[0].set_ylabel(y_name)
        for x_name, axis in zip(x_names, row, strict=True):
            _draw_points(axis, points, x_name, y_name)
            axis.grid(alpha=0.3)
            for label, value in levels.get(y_name, {}).items():
                axis.axhline(value, color="gray", linestyle="--", linewidth=0.8)
                axis.annotate(label, (0.01, value), xycoords=("axes fraction", "data"), fontsize=7)
    for x_name, axis in zip(x_names, axes[-1], strict=True):
        axis.set_xlabel(x_name)
    axes[0, -1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(title)
    figure.tight_layout()
    _save(figure, path)


def plot_scaling(
    path: Path,
    panels: dict[str, dict[str, Sequence[tuple[float, float, float]]]],
    levels: dict[str, dict[str, float]],
    title: str,
) -> None:
    """Figures against hours of training, on a logarithmic axis; a panel a figure.

    Args:
        panels: ``{figure: {model: [(hours, value, deviation)]}}``, a line a model.
        levels: ``{figure: {label: value}}``, dashed lines across a panel.
    """
    columns = 2 if len(panels) == 4 else min(len(panels), 3)
    rows = -(-len(panels) // columns)
    size = (4.4 * columns, 3.5 * rows)
    figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False)
    models = list(dict.fromkeys(model for curves in panels.values() for model in curves))
    names = list(dict.fromkeys(label for lines in levels.values() for label in lines))
    handles = {}
    for axis, (name, curves) in zip(axes.flat, panels.items(), strict=False):
        for model, points in curves.items():
            n = models.index(model)
            hours, values, deviations = zip(*points, strict=True)
            style = {"marker": _MARKERS[(n + n // 10) % 10], "color": f"C{n % 10}", "capsize": 3}
            handles[model] = axis.errorbar(hours, values, yerr=deviations, label=model, **style)
        for label, value in levels.get(name, {}).items():
            style = {"linestyle": _DASHES[names.index(label) % len(_DASHES)], "color": "dimgray"}
            handles[label] = axis.axhline(value, linewidth=1, label=label, **style)
        ticks = sorted({point[0] for points in curves.values() for point in points})
        axis.set_xscale("log")
        axis.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
        axis.minorticks_off()
        axis.set(xlabel="hours of training speech", ylabel=name)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    shown = [handles[label] for label in [*models, *names]]
    axes[0, -1].legend(handles=shown, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(title)
    figure.tight_layout()
    _save(figure, path)


def _draw_points(axis, points: dict[str, list[dict[str, float]]], x_name: str, y_name: str) -> None:
    """A colour and a marker a row, the same in every panel."""
    for i, (row, items) in enumerate(points.items()):
        shown = [(p[x_name], p[y_name]) for p in items if x_name in p and y_name in p]
        x, y = zip(*shown, strict=True) if shown else ((), ())
        marker = _MARKERS[(i + i // 10) % len(_MARKERS)]
        axis.plot(x, y, linestyle="none", marker=marker, color=f"C{i % 10}", label=row)


def _save(figure, path: Path) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    figure.savefig(temporary, dpi=100, bbox_inches="tight", format="png")
    pyplot.close(figure)
    os.replace(temporary, path)
