"""Likelihoods of several continuations of one context, which the LLM reads once for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from espnet_ssr.batching import length_buckets
from espnet_ssr.llm.cross_entropy import score_tokens
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import Row
from espnet_ssr.speech_lm.score import Score, score_rows

MAX_POSITIONS = 4096  # of a batch, padding included: what the LLM has keys and values of at a time


class Question(NamedTuple):
    """A context and what may follow it.

    Attributes:
        context: vectors ``(C, H)``, C at least 1.
        continuations: vectors ``(M, H)`` and the tokens ``(M,)`` that they stand for.
    """

    context: torch.Tensor
    continuations: list[Row]

    @property
    def positions(self) -> int:
        """Of all continuations behind their own copy of the context, padding included."""
        longest = max(len(c.inputs) for c in self.continuations)
        return (len(self.context) + longest) * len(self.continuations)


@torch.no_grad()
def score_questions(questions: Sequence[Question], llm: LanguageModel) -> list[list[Score]]:
    """Log-likelihoods ``log p(y_t | context, z_<t)`` of each continuation's tokens.

    All of a context but its last vector is read once and kept as keys and values; the last one
    is read again before each continuation, as its state predicts the first token.
    """
    found: dict[int, list[Score]] = {}
    for kept in (False, True):
        lengths = {
            str(n): q.positions for n, q in enumerate(questions) if (len(q.context) > 1) == kept
        }
        for batch in length_buckets(lengths, MAX_POSITIONS):
            numbers = [int(n) for n in batch]
            part = [questions[n] for n in numbers]
            rows = [_row(q.context[-1:], c) for q in part for c in q.continuations]
            scores = iter(_score_after(part, rows, llm) if kept else score_rows(rows, llm))
            for n, question in zip(numbers, part, strict=True):
                found[n] = [next(scores) for _ in question.continuations]
    return [found[n] for n in range(len(questions))]


def _row(last: torch.Tensor, continuation: Row) -> Row:
    return Row(torch.cat([last, continuation.inputs[:-1]]), continuation.targets)


def _score_after(
    questions: Sequence[Question], rows: Sequence[Row], llm: LanguageModel
) -> list[Score]:
    """Scores of the rows of all questions, each after its context but the last vector."""
    sizes = torch.tensor([len(q.continuations) for q in questions])
    owner = torch.arange(len(questions)).repeat_interleave(sizes).to(llm.device)
    kept = torch.tensor([len(q.context) - 1 for q in questions], device=llm.device)[owner]
    cache = _read([q.context[:-1] for q in questions], llm)
    cache.batch_select_indices(owner)
    inputs = pad_sequence([row.inputs.to(llm.dtype) for row in rows], batch_first=True)
    steps = torch.arange(inputs.shape[1], device=llm.device)
    # Shorter contexts have padding behind them, which nobody may look at.
    slots = torch.arange(cache.get_seq_length(), device=llm.device)
    seen = torch.cat([slots < kept[:, None], torch.ones_like(inputs[..., 0], dtype=bool)], dim=1)
    hidden = llm.model.base_model(
        inputs_embeds=inputs,
        attention_mask=seen.long(),
        position_ids=kept[:, None] + steps,
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    targets = [row.targets for row in rows]
    states = [h[: len(t)] for h, t in zip(hidden, targets, strict=True)]
    nats = score_tokens(llm.logits, torch.cat(states), torch.cat(targets)).nats
    per_row = (-nats).cpu().split([len(t) for t in targets])
    return [Score(ids.cpu(), values) for ids, values in zip(targets, per_row, strict=True)]


def _read(contexts: Sequence[torch.Tensor], llm: LanguageModel) -> DynamicCache:
    """Keys and values of contexts, padded at their ends."""
    inputs = pad_sequence([c.to(llm.dtype) for c in contexts], batch_first=True)
    return llm.model.base_model(inputs_embeds=inputs, use_cache=True).past_key_values
