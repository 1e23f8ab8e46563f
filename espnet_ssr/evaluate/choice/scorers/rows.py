"""What scorers have in common: an LLM that reads rows of vectors. They differ in how they hear."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, wraps
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.evaluate.choice.cost import Cost, add_costs, cpu_seconds, share_cost
from espnet_ssr.evaluate.choice.item import Part, Parts
from espnet_ssr.evaluate.choice.scorers.shared_context import Question, score_questions
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import Row, first_tokens, start_tokens
from espnet_ssr.speech_lm.generate import find_stop_tokens, generate_texts
from espnet_ssr.speech_lm.score import Score

HEARD_AT_A_TIME = 32  # parts; bad audio makes as many be heard again, one by one
MAX_KNOWN = 2048  # parts whose vectors are kept


class Read(NamedTuple):
    """What the LLM gets for a part.

    Attributes:
        vectors: ``(N, H)``.
        token_id: tokens ``(N,)`` that they stand for; None: for none.
        cost: of hearing it; None: no audio was heard, or the time is not known.
    """

    vectors: torch.Tensor
    token_id: torch.Tensor | None
    cost: Cost | None = None


def timed(hear: Callable[[RowScorer, Sequence[Part]], list[Read]]):
    """A ``hear`` whose results have their cost, of parts that are audio files. On a GPU they have
    none: CPU time would not say what it takes."""

    @wraps(hear)
    def measured(self: RowScorer, parts: Sequence[Part]) -> list[Read]:
        begin = cpu_seconds()
        reads = hear(self, parts)
        if self.llm.device.type != "cpu":
            return reads
        costs = share_cost(cpu_seconds() - begin, [part.audio for part in parts])
        return [read._replace(cost=cost) for read, cost in zip(reads, costs, strict=True)]

    return measured


class RowScorer(ABC):
    """A ``Scorer`` whose LLM reads vectors: embeddings of text, and what speech is turned into.

    Every part is tokenized by itself, so a text has the same tokens whatever is beside it. Before
    all there is what the tokenizer puts before every text; where nothing else stands before a
    continuation, the token that begins or ends a sequence, as in lm-evaluation-harness.

    Args:
        llm: reads; tokenizer: its own.
    """

    def __init__(self, llm: LanguageModel, tokenizer: PreTrainedTokenizerBase):
        self.llm = llm
        self.tokenizer = tokenizer
        self._start = start_tokens(tokenizer)
        self._first = first_tokens(tokenizer)
        self._limit = getattr(llm.model.config, "max_position_embeddings", None)
        self._known: dict[Part, Read | ValueError] = {}

    @abstractmethod
    def hear(self, parts: Sequence[Part]) -> list[Read]:
        """What the LLM gets for parts that are spoken.

        Raises:
            ValueError: one of them cannot be heard.
        """

    def score(self, pairs: Sequence[tuple[Parts, Parts]]) -> list[Score]:
        """See ``Scorer``. A context is read once for all continuations that come with it.

        Raises:
            ValueError: a part cannot be heard, a continuation has no tokens, or there are more than
                the LLM's context has room for.
        """
        self._hear_new(part for pair in pairs for parts in pair for part in parts)
        followers: dict[Parts, dict[Parts, Score | None]] = {}
        for context, continuation in pairs:
            followers.setdefault(context, {})[continuation] = None
        questions = [self._question(context, found) for context, found in followers.items()]
        answers = score_questions(questions, self.llm)
        for found, scores in zip(followers.values(), answers, strict=True):
            found.update(zip(found, scores, strict=True))
        return [followers[context][continuation] for context, continuation in pairs]

    def generate(self, prompts: Sequence[Parts], max_tokens: int) -> list[str]:
        """See ``Scorer``; greedily.

        Raises:
            ValueError: a part cannot be heard, or there is no room for a token after it.
        """
        self._hear_new(part for parts in prompts for part in parts)
        rows = [self._begin(parts) for parts in prompts]
        for row in rows:
            self._check_length(len(row) + 1)
        limits = [max_tokens if self._limit is None else self._limit - len(row) for row in rows]
        limits = [min(max_tokens, limit) for limit in limits]
        stop = find_stop_tokens(self.llm, self.tokenizer, stop_at_newline=True)
        return generate_texts(rows, limits, self.llm, self.tokenizer, stop)

    def cost(self, parts: Iterable[Part]) -> Cost | None:
        """See ``Scorer``."""
        found = [self._known[part] for part in dict.fromkeys(parts) if part.spoken]
        costs = [read.cost if isinstance(read, Read) else None for read in found]
        return None if None in costs else add_costs(costs)

    def read(self, text: str) -> Read:
        """A text's embeddings."""
        ids = self.tokenizer(text, add_special_tokens=False).input_ids
        return Read(self.llm.embed(ids), torch.tensor(ids, dtype=torch.long))

    def nearest(self, vectors: torch.Tensor) -> torch.Tensor:
        """The token ``(N,)`` whose embedding has the largest centred cosine to each vector."""
        return self._space.nearest(vectors.to(self.llm.device)).cpu()

    @cached_property
    def _space(self) -> EmbeddingSpace:
        return EmbeddingSpace(self.llm.embedding_matrix())

    def _hear_new(self, parts: Iterable[Part]) -> None:
        """Hear what is not known; what cannot be heard is known by its error."""
        spoken = list(dict.fromkeys(part for part in parts if part.spoken))
        if len(self._known) > MAX_KNOWN:
            self._known = {part: self._known[part] for part in spoken if part in self._known}
        new = [part for part in spoken if part not in self._known]
        for begin in range(0, len(new), HEARD_AT_A_TIME):
            batch = new[begin : begin + HEARD_AT_A_TIME]
            try:
                self._known.update(zip(batch, self.hear(batch), strict=True))
            except ValueError:
                self._known.update((part, self._hear_one(part)) for part in batch)

    def _hear_one(self, part: Part) -> Read | ValueError:
        try:
            return self.hear([part])[0]
        except ValueError as error:
            return ValueError(f"{part.audio}: {error}")

    def _read_all(self, parts: Parts) -> list[Read]:
        found = [self._known[part] if part.spoken else self.read(part.text) for part in parts]
        for read in found:
            if isinstance(read, ValueError):
                raise read
        return found

    def _begin(self, parts: Parts) -> torch.Tensor:
        """Vectors ``(L, H)``, L at least 1."""
        reads = self._read_all(parts)
        empty = not sum(len(read.vectors) for read in reads)
        start = self.llm.embed(self._first if empty else self._start)
        return torch.cat([start, *(self._place(read.vectors) for read in reads)])

    def _question(self, context: Parts, continuations: Iterable[Parts]) -> Question:
        question = Question(self._begin(context), [self._row(c) for c in continuations])
        longest = max(len(row.inputs) for row in question.continuations)
        self._check_length(len(question.context) + longest - 1)
        return question

    def _row(self, continuation: Parts) -> Row:
        reads = self._read_all(continuation)
        if any(read.token_id is None for read in reads):
            raise ValueError(
                "this model's vectors do not stand for a token each: speech can only be a context"
            )
        if not sum(len(read.vectors) for read in reads):
            raise ValueError("nothing to score: a candidate has no tokens")
        return Row(
            torch.cat([self._place(read.vectors) for read in reads]),
            torch.cat([read.token_id for read in reads]).to(self.llm.device),
        )

    def _place(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors.to(self.llm.device, self.llm.dtype)

    def _check_length(self, positions: int) -> None:
        if self._limit is not None and positions > self._limit:
            raise ValueError(
                f"it takes {positions} positions, and the LLM's context has {self._limit}"
            )
