"""What a choice task asks: a context, candidates that may follow it, and which one is right.

What is asked (this file), how it is made from a benchmark's files (``task.py``, ``readers``), who
says it aloud (``espnet_ssr.tts``) and who answers (``scorer.py``) know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from espnet_ssr.evaluate.choice.cost import Cost
from espnet_ssr.speech_lm.score import Score


class Part(NamedTuple):
    """A piece of a context or of a candidate.

    Attributes:
        text: what it says, with the space that it begins with, if any.
        spoken: the model gets it as speech.
        audio: file with that speech; None until it was made.
    """

    text: str
    spoken: bool = False
    audio: str | None = None

    def spoken_as(self, words: str) -> str:
        """Other words for its text, with the space that it begins with; nothing, if there are
        none."""
        space = self.text[: len(self.text) - len(self.text.lstrip())]
        return f"{space}{words}" if words else ""


Parts = tuple[Part, ...]


@dataclass(frozen=True)
class Item:
    """One question.

    Attributes:
        item_id: unique in its task, the same in all modes, so that they can be compared.
        group: a paradigm, a subject; accuracies are also given by group.
        context: may be empty.
        candidates: two or more.
        answer: index of the right one.
    """

    item_id: str
    group: str
    context: Parts
    candidates: tuple[Parts, ...]
    answer: int


class Scorer(Protocol):
    """A model that is compared; whatever it is made of, it is asked for nothing else."""

    def score(self, pairs: Sequence[tuple[Parts, Parts]]) -> list[Score]:
        """Log-likelihood of each continuation's tokens given its context."""

    def generate(self, prompts: Sequence[Parts], max_tokens: int) -> list[str]:
        """What it writes after each prompt, up to a line break."""

    def cost(self, parts: Iterable[Part]) -> Cost | None:
        """What it took to hear those of these parts that are spoken, all of them in the last call
        of ``score`` or ``generate``; None: nothing was heard, or the time is not known."""
