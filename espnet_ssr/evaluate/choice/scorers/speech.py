"""Our own: an LLM that hears through a connector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from espnet_ssr.evaluate.choice.item import Part
from espnet_ssr.evaluate.choice.scorers.rows import Read, RowScorer, timed
from espnet_ssr.speech_lm.api import SpeechLM
from espnet_ssr.speech_lm.audio import Speech
from espnet_ssr.speech_lm.listener import Heard
from espnet_ssr.tts.gate import spoken_words

TRANSCRIPTS: Mapping[str, Callable[[str], str]] = {"written": str, "normalised": spoken_words}
"""What of a text the aligner is told: case, punctuation and digits as they are, or only words, read
out, as the recipes' transcripts and ``espnet_ssr.tts`` have them."""


class SpeechLMScorer(RowScorer):
    """A ``SpeechLM``, with any connector.

    Args:
        lm: the model.
        forced: tell the aligner what is said: there is a segment for each token of it, and in a
            candidate those tokens are scored. Otherwise (textless) segments are what the aligner
            finds by itself, and the tokens nearest to the vectors are scored.
        transcript: what is said of a text; should be like the transcripts of the training.
    """

    def __init__(
        self, lm: SpeechLM, forced: bool, transcript: Callable[[str], str] = TRANSCRIPTS["written"]
    ):
        super().__init__(lm.llm, lm.tokenizer)
        self._listener = lm.listener
        self._forced = forced
        self._transcript = transcript

    @timed
    def hear(self, parts: Sequence[Part]) -> list[Read]:
        texts = [self._transcript(p.text.strip()) if self._forced else None for p in parts]
        speeches = [Speech(p.audio, text=t) for p, t in zip(parts, texts, strict=True)]
        return [Read(h.vectors, self._tokens(h)) for h in self._listener.hear(speeches)]

    def _tokens(self, heard: Heard) -> torch.Tensor | None:
        if not self._listener.model.connector.token_aligned:
            return None
        if heard.segments.token_id:
            return torch.tensor(heard.segments.token_id)
        return self.nearest(heard.vectors)
