"""The interface of every aligner."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from espnet_ssr.align.alignment import Alignment


class AlignError(Exception):
    """One utterance cannot be aligned; the run goes on and counts it under ``cause``.

    ``cause`` is one word (``empty_text``, ``too_short``, ...), ``message`` is for people.
    """

    def __init__(self, cause: str, message: str):
        super().__init__(message)
        self.cause = cause


class AbsAligner(ABC):
    """Gives times to a known transcript (forced alignment)."""

    sample_rate: int = 16000
    """Rate of the audio that ``align`` takes, in Hz."""

    levels: tuple[str, ...] = ("word",)
    """Levels that ``align`` returns, of ``word``, ``char`` and ``phone``."""

    @abstractmethod
    def align(self, utt_id: str, speech: np.ndarray, text: str) -> dict[str, Alignment]:
        """Align one utterance.

        Args:
            utt_id: its name, for messages.
            speech: samples ``(N,)``, float in [-1, 1], at ``sample_rate``.
            text: the transcript; words are separated by white space.

        Returns:
            One ``Alignment`` for each of ``levels``; the word level has one span for each
            word of ``text`` that has a letter or digit, in order.

        Raises:
            AlignError: this utterance cannot be aligned.
        """
