"""The topline: an LLM that is given the text of everything that is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transformers import PreTrainedTokenizerBase

from espnet_ssr.evaluate.choice.item import Part
from espnet_ssr.evaluate.choice.scorers.rows import Read, RowScorer
from espnet_ssr.llm.language_model import LanguageModel


class TextScorer(RowScorer):
    """Reads the texts of spoken parts, so that it scores the same in all modes of a task.

    Args:
        transcript: what is said of a text, where speech has to say it: what it loses by it, no
            connector can win back that was taught such transcripts.
    """

    def __init__(
        self,
        llm: LanguageModel,
        tokenizer: PreTrainedTokenizerBase,
        transcript: Callable[[str], str] = str,
    ):
        super().__init__(llm, tokenizer)
        self._transcript = transcript

    def hear(self, parts: Sequence[Part]) -> list[Read]:
        return [self.read(p.spoken_as(self._transcript(p.text.strip()))) for p in parts]
