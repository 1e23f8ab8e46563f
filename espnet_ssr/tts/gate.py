"""Whether a clip says what it should: a recogniser is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import jiwer
import numpy as np

from espnet_ssr.text import normalize_text
from espnet_ssr.tts.verbalize import verbalize
from espnet_ssr.tts.voice import Refused


class Transcriber(Protocol):
    """A recogniser, for example ``espnet_ssr.evaluate.asr.WhisperTranscriber``."""

    sample_rate: int

    def transcribe(self, audio: Sequence[np.ndarray]) -> list[str]:
        """Texts of samples ``(N,)``."""


@dataclass(frozen=True)
class Gate:
    """Passes clips in which the recogniser hears what was said.

    Recognisers err, too, and do not spell names or homophones as they were written. So one wrong
    word is allowed in any clip, however short; but a clip of which less than half the characters
    are heard does not pass.

    Attributes:
        name: of the recogniser, by which a cache remembers what it heard.
        max_wer: share of words that may be wrong.
        max_cer: share of characters that may be wrong.
    """

    transcriber: Transcriber
    name: str
    max_wer: float = 0.2
    max_cer: float = 0.5

    def passes(self, words: str, heard: str) -> bool:
        """Whether ``heard``, a transcript, is near enough to ``words``, normalised ones."""
        heard = spoken_words(heard)
        if words.replace(" ", "") == heard.replace(" ", ""):  # "web site", "website"
            return True
        counts = jiwer.process_words(words, heard)
        wrong = counts.substitutions + counts.deletions + counts.insertions
        allowed = max(1, int(self.max_wer * len(words.split())))
        return wrong <= allowed and jiwer.cer(words, heard) <= self.max_cer


def spoken_words(text: str) -> str:
    """The normalised words of a text as it is read aloud, or nearly, if there is no one way."""
    try:
        return normalize_text(verbalize(text))
    except Refused:
        return normalize_text(text)
