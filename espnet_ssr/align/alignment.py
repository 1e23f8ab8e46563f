"""Alignments in memory and on disk (NIST CTM: ``utt channel start duration label score``)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from espnet_ssr.datadir import write_lines

LEVELS = ("word", "char", "phone")


@dataclass(frozen=True)
class Span:
    """A labelled stretch of time; ``start`` and ``end`` in seconds, ``score`` a log-probability
    or confidence on the aligner's own scale (None: the aligner gives none)."""

    label: str
    start: float
    end: float
    score: float | None = None

    def __post_init__(self):
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError(f"span {self.label!r}: times must be finite, not {self}")
        if not 0 <= self.start <= self.end:
            raise ValueError(
                f"span {self.label!r}: 0 <= start <= end is violated by {self.start}, {self.end}"
            )


@dataclass(frozen=True)
class Alignment:
    """The spans of one utterance in order of time; they may leave gaps (pauses) but not overlap."""

    utt_id: str
    spans: list[Span] = field(default_factory=list)
    level: str = "word"

    def __post_init__(self):
        if self.level not in LEVELS:
            raise ValueError(f"level must be one of {LEVELS}, not {self.level!r}")
        for left, right in zip(self.spans, self.spans[1:], strict=False):
            # Half a millisecond: CTM rounds times to three digits.
            if right.start < left.end - 5e-4:
                raise ValueError(
                    f"{self.utt_id}: span {right.label!r} starts at {right.start:.3f} s, "
                    f"before {left.label!r} ends at {left.end:.3f} s"
                )


def write_ctm(path: str | os.PathLike, alignments: Iterable[Alignment]) -> None:
    """Write alignments as one CTM file, whole or not at all."""
    write_lines(path, (line for alignment in alignments for line in _ctm_lines(alignment)))


def _ctm_lines(alignment: Alignment) -> Iterable[str]:
    last_end = 0.0
    for span in alignment.spans:
        if span.label.split() != [span.label]:
            raise ValueError(f"{alignment.utt_id}: CTM has no room for the label {span.label!r}")
        # The end is what segments are cut at, so the duration is the difference of the rounded
        # times: start + duration then reads back as the rounded end. Rounding must not turn a
        # tolerated overlap into a larger one.
        start = max(round(span.start, 3), last_end)
        last_end = max(round(span.end, 3), start)
        score = "" if span.score is None else f" {span.score:.4f}"
        yield f"{alignment.utt_id} 1 {start:.3f} {last_end - start:.3f} {span.label}{score}"


def read_ctm(path: str | os.PathLike, level: str = "word") -> dict[str, Alignment]:
    """Read a CTM file into ``{utt_id: Alignment}``.

    Raises:
        ValueError: names the file and the line of whatever is malformed.
    """
    spans: dict[str, list[Span]] = {}
    with open(path, "rb") as f:
        for number, line in enumerate(f, 1):
            if line.strip() and not line.startswith(b";;"):
                utt_id, span = _parse_ctm_line(line, f"{path}:{number}")
                spans.setdefault(utt_id, []).append(span)
    try:
        return {utt_id: Alignment(utt_id, s, level) for utt_id, s in spans.items()}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _parse_ctm_line(line: bytes, where: str) -> tuple[str, Span]:
    try:
        fields = line.decode("utf-8").split()
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: not UTF-8 ({error.reason})") from None
    if len(fields) not in (5, 6):
        raise ValueError(
            f"{where}: expected 'utt channel start duration label [score]', "
            f"got {' '.join(fields)!r}"
        )
    utt_id, _, start, duration, label, *score = fields
    try:
        begin = float(start)
        end = round(begin + float(duration), 6)
        return utt_id, Span(label, begin, end, float(score[0]) if score else None)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
