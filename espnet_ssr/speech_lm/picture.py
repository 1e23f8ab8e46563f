"""What a model hears, to look at: spectrogram, segments, nearest tokens, guessed words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib import mlab
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from espnet_ssr.align.alignment import Span
from espnet_ssr.speech_lm.segments import Segments

LINE_SECONDS = 6.0  # longer speech goes on in the next line
WIDTH, LINE_HEIGHT = 12.0, 2.7  # inches; of it, the spectrogram takes 2 of 3 parts
FONT_SIZE = 10
CHARACTER_WIDTH = 0.6 * FONT_SIZE / 72  # inches, on average
WINDOW, HOP = 512, 160  # samples
RANGE_DB = 80.0
TIERS = ("nearest token", "aligner's guess", "entropy (nats)")
# Of a tier's labels, in turns.
COLORS = (("#ffd8a8", "#ffe8cc"), ("#c5d9f1", "#e1ebf7"), ("#d8e8c8", "#eaf2e0"))


def token_spans(segments: Segments, tokens: Sequence[str]) -> list[Span]:
    """Each segment with its token, or another label; it begins where the one before it ends, the
    first at 0."""
    begins = (0.0, *segments.token_end)[:-1]
    triples = zip(tokens, begins, segments.token_end, strict=True)
    return [Span(token.strip() or repr(token), begin, end) for token, begin, end in triples]


def draw_segments(
    samples: np.ndarray,
    sample_rate: int,
    tokens: Sequence[Span],
    words: Sequence[Span],
    entropies: Sequence[Span] = (),
) -> Figure:
    """Spectrogram of ``samples`` ``(N,)``, N at least 1, in lines of equal length, at most 6 s;
    below each line a tier of tokens and one of words, with their times in seconds, and one of
    entropies if there are any.

    It belongs to no pyplot, so any thread may draw and nobody has to close it.
    """
    seconds = len(samples) / sample_rate
    lines = math.ceil(seconds / LINE_SECONDS)
    rows = (tokens, words, entropies) if entropies else (tokens, words)
    figure = Figure(figsize=(WIDTH, LINE_HEIGHT * lines), layout="constrained")
    axes = figure.subplots(2 * lines, 1, height_ratios=(2, 1) * lines, squeeze=False)[:, 0]
    decibels = _spectrogram(samples, sample_rate)
    for line, (spectrum, tiers) in enumerate(zip(axes[::2], axes[1::2], strict=True)):
        begin, end = (seconds * n / lines for n in (line, line + 1))
        _draw_spectrogram(spectrum, decibels, seconds, sample_rate)
        for token in tokens:
            spectrum.axvline(token.end, color="white", linestyle="--", linewidth=1)
        for row, spans in enumerate(rows):
            _draw_tier(tiers, row, _clip(spans, begin, end), WIDTH / (end - begin))
        tiers.set_yticks(range(len(rows)), TIERS[: len(rows)])
        tiers.set(ylim=(len(rows) - 0.5, -0.5), xlim=(begin, end))
        spectrum.set(xlim=(begin, end), xticklabels=[])
    axes[-1].set_xlabel("time (s)")
    return figure


def _spectrogram(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Decibels ``(frequencies, frames)`` below the loudest, at least ``-RANGE_DB``."""
    padded = np.pad(samples, WINDOW // 2)  # frames are centred, and there is at least one
    power, *_ = mlab.specgram(padded, WINDOW, sample_rate, noverlap=WINDOW - HOP)
    loudest = max(power.max(), np.finfo(np.float32).tiny)
    return 10 * np.log10(np.maximum(power / loudest, 10 ** (-RANGE_DB / 10)))


def _draw_spectrogram(axis: Axes, decibels: np.ndarray, seconds: float, sample_rate: int) -> None:
    axis.imshow(
        decibels,
        extent=(0, seconds, 0, sample_rate / 2000),
        aspect="auto",
        origin="lower",
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0,
    )
    axis.set_ylabel("kHz")


def _clip(spans: Sequence[Span], begin: float, end: float) -> list[Span]:
    """What is seen of spans between two times."""
    return [
        replace(span, start=max(span.start, begin), end=min(span.end, end))
        for span in spans
        if span.start < end and span.end > begin
    ]


def _draw_tier(axis: Axes, row: int, spans: Sequence[Span], inches_a_second: float) -> None:
    """Boxes with labels; upright where they would not fit."""
    for n, span in enumerate(spans):
        axis.barh(row, span.end - span.start, 0.94, span.start, color=COLORS[row][n % 2])
        fits = len(span.label) * CHARACTER_WIDTH < (span.end - span.start) * inches_a_second
        axis.text(
            (span.start + span.end) / 2,
            row,
            span.label,
            rotation=0 if fits else 90,
            fontsize=FONT_SIZE if fits else 0.6 * FONT_SIZE,
            ha="center",
            va="center",
            clip_on=True,
            parse_math=False,  # "$5" is no formula
        )
