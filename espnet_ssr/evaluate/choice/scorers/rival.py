"""How to have a model of another kind compared: a function from audio files to vectors.

Most connectors give vectors at a rate of their own, say of every few frames, and are trained
through the frozen LLM. They can be asked where speech is a context (S->T, prompted ASR). Their
vectors stand for no tokens, so a spoken candidate has no likelihood: S and T->S are refused,
counted and shown as not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.evaluate.choice.item import Part
from espnet_ssr.evaluate.choice.scorers.rows import Read, RowScorer, timed
from espnet_ssr.llm.language_model import LanguageModel

Embed = Callable[[list[str]], list[torch.Tensor]]
"""Vectors ``(N, H)`` in the LLM's embedding space, any N, of each audio file."""


class VectorsScorer(RowScorer):
    """A connector without token alignment, in front of its LLM.

    Args:
        embed: for example ``SpeechLM.embed`` of a frame-stacking connector.
    """

    def __init__(self, llm: LanguageModel, tokenizer: PreTrainedTokenizerBase, embed: Embed):
        super().__init__(llm, tokenizer)
        self._embed = embed

    @timed
    def hear(self, parts: Sequence[Part]) -> list[Read]:
        return [Read(vectors, None) for vectors in self._embed([part.audio for part in parts])]
