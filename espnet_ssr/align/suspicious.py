"""Utterances whose transcript probably does not match the audio.

An aligner gives times to any text, and a swapped transcript trains the connector on noise. Three
signs, none of which knows the aligner's scale; ``doc/alignment.md`` has how many swapped
transcripts they find and how many right ones they blame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from espnet_ssr.align.alignment import Alignment
from espnet_ssr.datadir import write_lines

SUSPICIOUS = "suspicious"

NORMAL_MAD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""


@dataclass(frozen=True)
class Limits:
    """What is still plausible.

    Attributes:
        min_z: of the utterance's mean word score among all of the set, see ``robust_z``.
        max_word_seconds: of the longest word.
        min_rate, max_rate: letters and digits a second of audio.
    """

    min_z: float = -3.0
    max_word_seconds: float = 2.0
    min_rate: float = 0.5
    max_rate: float = 25.0


class Suspect(NamedTuple):
    """Mean word score, its z (None: the aligner gives no scores), and details of what is
    implausible by cause: ``low_score``, ``long_word``, ``speaking_rate``."""

    score: float | None
    z: float | None
    causes: dict[str, str]


def find_suspicious(
    words: Mapping[str, Alignment], seconds: Mapping[str, float], limits: Limits | None = None
) -> dict[str, Suspect]:
    """Utterances beyond the limits, worst score first.

    Args:
        words: all alignments of a set: scores are judged by those of the others.
        seconds: of audio, by utterance; where there is none, the speaking rate is not judged.
    """
    limits = limits or Limits()
    scores = mean_scores(words)
    z = robust_z(scores)
    found = {}
    for utt_id, alignment in words.items():
        suspect = Suspect(scores.get(utt_id), z.get(utt_id), {})
        if suspect.z is not None and suspect.z < limits.min_z:
            suspect.causes["low_score"] = f"z {suspect.z:.1f}, score {suspect.score:.3f}"
        suspect.causes.update(_shape_causes(alignment, seconds.get(utt_id), limits))
        if suspect.causes:
            found[utt_id] = suspect
    return dict(sorted(found.items(), key=lambda item: z.get(item[0], 0.0)))


def word_scores(alignment: Alignment) -> list[float]:
    """Scores of the words that have one; a CTM file of another program may hold NaN."""
    scores = (span.score for span in alignment.spans if span.score is not None)
    return [score for score in scores if math.isfinite(score)]


def mean_scores(words: Mapping[str, Alignment]) -> dict[str, float]:
    """Mean score of the words of each utterance that have one."""
    scores = {utt_id: word_scores(alignment) for utt_id, alignment in words.items()}
    return {u: float(np.mean(values)) for u, values in scores.items() if values}


def robust_z(scores: Mapping[str, float]) -> dict[str, float]:
    """Distance of each score from the median, in robust standard deviations of the lower half.

    The deviation is ``NORMAL_MAD`` times the median distance of the scores *below* the median from
    it: log-probabilities crowd at the top and trail off below, so that by the usual median
    absolute deviation, of both sides, many a right transcript is an outlier. Half of the lower
    half may be wrong before it breaks down.
    """
    values = np.array(list(scores.values()))
    median = np.median(values) if len(values) else 0.0
    below = values[values < median]
    if len(below) == 0:  # all alike: there is no scale to judge by
        return dict.fromkeys(scores, 0.0)
    deviation = NORMAL_MAD * np.median(median - below)
    return {utt_id: float((score - median) / deviation) for utt_id, score in scores.items()}


def write_suspicious(path: Path, found: Mapping[str, Suspect]) -> None:
    """Write ``utt score z cause[,cause]`` lines, ``-`` for what there is not."""
    write_lines(
        path,
        (
            f"{utt_id} {_number(s.score)} {_number(s.z)} {','.join(s.causes)}"
            for utt_id, s in found.items()
        ),
    )


def _shape_causes(words: Alignment, seconds: float | None, limits: Limits) -> dict[str, str]:
    """What is implausible about an alignment, whatever its scores."""
    causes = {}
    longest = max(words.spans, key=lambda s: s.end - s.start)
    duration = longest.end - longest.start
    if duration > limits.max_word_seconds:
        causes["long_word"] = f"{longest.label} takes {duration:.2f} s"
    letters = sum(c.isalnum() for span in words.spans for c in span.label)
    if seconds and not limits.min_rate <= letters / seconds <= limits.max_rate:
        causes["speaking_rate"] = f"{letters / seconds:.2f} letters a second of audio"
    return causes


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
