"""Word boundaries of an alignment against those of a reference.

``doc/alignment.md`` ("How boundaries are measured") has the protocol and why every figure says
which edge it is of.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from espnet_ssr.align.alignment import Alignment, Span

TOLERANCES_MS = (10, 20, 25, 50, 100)

Words = Mapping[str, Alignment]
"""Word alignments by utterance."""


@dataclass(frozen=True)
class BoundaryErrors:
    """Matched words of an alignment and its reference.

    Attributes:
        times: for each utterance that was compared, in seconds, ``(words, 2, 2)``: hypothesis and
            reference, start and end.
        left_out: why others were not: ``not_aligned`` (only the reference has it),
            ``no_reference`` (only the hypothesis has it) or ``other_words``.
    """

    times: dict[str, np.ndarray]
    left_out: dict[str, str]

    def restrict(self, utt_ids: Iterable[str]) -> BoundaryErrors:
        """Those of some of the utterances that were compared."""
        return BoundaryErrors({u: self.times[u] for u in utt_ids}, self.left_out)

    def signed(self) -> np.ndarray:
        """Errors ``(words, 2)`` of starts and ends in ms, positive where the hypothesis is late."""
        times = self._pooled()
        # To a microsecond: 0.31 s - 0.30 s is within 10 ms, in floating point it is not.
        return np.round(1000 * (times[:, 0] - times[:, 1]), 3)

    def summary(self) -> dict:
        """Figures over all words pooled, so every word weighs the same; errors in ms.

        ``start``, ``end`` and ``word_duration_ms`` are None where nothing was compared.
        """
        times, signed = self._pooled(), self.signed()
        durations = 1000 * (times[:, :, 1] - times[:, :, 0])
        return {
            "utterances": len(self.times),
            "words": len(times),
            "left_out": dict(Counter(self.left_out.values())),
            "end": _edge_figures(signed[:, 1]),
            "start": _edge_figures(signed[:, 0]),
            "word_duration_ms": {
                "hypothesis": float(durations[:, 0].mean()),
                "reference": float(durations[:, 1].mean()),
            }
            if len(times)
            else None,
        }

    def by_utterance(self) -> dict[str, float]:
        """Mean absolute error of all edges, starts and ends alike, of each utterance in ms."""
        return {u: float(np.abs(self.restrict([u]).signed()).mean()) for u in self.times}

    def _pooled(self) -> np.ndarray:
        return np.concatenate([np.zeros((0, 2, 2)), *self.times.values()])


def compare_words(hypothesis: Words, reference: Words) -> BoundaryErrors:
    """Match the words of every utterance one to one, in order.

    Utterances whose words differ in more than case and punctuation are left out: which word would
    be compared with which is then a matter of taste.
    """
    times: dict[str, np.ndarray] = {}
    left_out: dict[str, str] = {}
    for utt_id in dict.fromkeys([*reference, *hypothesis]):
        if utt_id not in hypothesis:
            left_out[utt_id] = "not_aligned"
        elif utt_id not in reference:
            left_out[utt_id] = "no_reference"
        else:
            pair = [_spoken(words[utt_id]) for words in (hypothesis, reference)]
            if [w for w, _ in pair[0]] != [w for w, _ in pair[1]]:
                left_out[utt_id] = "other_words"
            elif pair[0]:
                spans = [[(s.start, s.end) for _, s in words] for words in pair]
                times[utt_id] = np.array(spans).transpose(1, 0, 2)
    return BoundaryErrors(times, left_out)


def normalise_word(label: str) -> str:
    """``label`` in lower case, only its letters, digits and apostrophes."""
    label = unicodedata.normalize("NFKC", label).lower().replace("’", "'")
    return "".join(c for c in label if c.isalnum() or c == "'")


def _spoken(words: Alignment) -> list[tuple[str, Span]]:
    """Normalised words with their spans; those without a letter or digit are not spoken."""
    named = ((normalise_word(span.label), span) for span in words.spans)
    return [(word, span) for word, span in named if word.strip("'")]


def _edge_figures(signed: np.ndarray) -> dict | None:
    """Figures of signed errors ``(words,)`` in ms."""
    if len(signed) == 0:
        return None
    error = np.abs(signed)
    return {
        "mean_ms": float(error.mean()),
        "median_ms": float(np.median(error)),
        "signed_mean_ms": float(signed.mean()),
        "unbiased_mean_ms": float(np.abs(signed - np.median(signed)).mean()),
        "within": {str(ms): float((error <= ms).mean()) for ms in TOLERANCES_MS},
    }
