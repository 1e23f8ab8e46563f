"""The interface of every aligner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from espnet_ssr.align.alignment import Alignment

Levels = dict[str, Alignment]
"""Alignments of one utterance by level: ``word``, ``char``, ``phone``."""


class AlignError(Exception):
    """One utterance cannot be aligned; the run goes on and counts it under ``cause``.

    ``cause`` is one word (``empty_text``, ``too_short``, ...), ``message`` is for people.
    """

    def __init__(self, cause: str, message: str):
        super().__init__(message)
        self.cause = cause


class AlignUtterance(NamedTuple):
    """What an aligner is given.

    Attributes:
        utt_id: its name, for messages.
        signal: samples ``(N,)``, float32 in [-1, 1], or features ``(T, D)``: see
            ``AbsAligner.input``.
        text: the transcript, words separated by white space; None: there is none (textless).
    """

    utt_id: str
    signal: np.ndarray
    text: str | None = None


class AbsAligner(ABC):
    """Gives times to a known transcript (forced alignment) or to its own guess (textless)."""

    input: str = "speech"
    """What ``AlignUtterance.signal`` must be: ``speech`` or ``feats``."""

    sample_rate: int = 16000
    """Rate of the audio it takes, in Hz."""

    levels: tuple[str, ...] = ("word",)
    """Levels that ``align_batch`` returns, of ``word``, ``char`` and ``phone``."""

    textless: bool = False
    """Utterances may come without ``text``."""

    @abstractmethod
    def align_batch(self, utterances: Sequence[AlignUtterance]) -> list[Levels | AlignError]:
        """Align some utterances, of like length where that saves padding.

        Returns:
            For each utterance, in order, one ``Alignment`` for each of ``levels``, or why it
            cannot be aligned. The word level has one span for each word of ``text`` that has a
            letter or digit; textless, its labels are the guess.
        """


def align_each(
    align: Callable[[AlignUtterance], Levels], utterances: Sequence[AlignUtterance]
) -> list[Levels | AlignError]:
    """``align_batch`` for aligners that take one utterance at a time."""
    results: list[Levels | AlignError] = []
    for utterance in utterances:
        try:
            results.append(align(utterance))
        except AlignError as error:
            results.append(error)
    return results
