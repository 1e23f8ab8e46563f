"""The topline: an LLM that is given the text of everything that is said."""

from __future__ import annotations

from collections.abc import Sequence

from espnet_ssr.evaluate.choice.item import Part
from espnet_ssr.evaluate.choice.scorers.rows import Read, RowScorer


class TextScorer(RowScorer):
    """Reads the texts of spoken parts, so that it scores the same in all modes of a task."""

    def hear(self, parts: Sequence[Part]) -> list[Read]:
        return [self.read(part.text) for part in parts]
