"""How likely the LLM finds a continuation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from espnet_ssr.batching import length_buckets
from espnet_ssr.llm.cross_entropy import score_tokens
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import Row, predicting_states

MAX_POSITIONS = 4096  # of a batch, padding included: what the LLM reads at a time


class Score(NamedTuple):
    """Of the tokens of a continuation, each ``(M,)``, on the CPU.

    Attributes:
        token_id: tokens that were predicted.
        per_token: log-likelihood of each, nats.
    """

    token_id: torch.Tensor
    per_token: torch.Tensor

    @property
    def log_likelihood(self) -> float:
        """Sum in nats."""
        return self.per_token.double().sum().item()

    @property
    def num_tokens(self) -> int:
        return len(self.token_id)


def scoring_row(context: torch.Tensor, inputs: torch.Tensor, tokens: torch.Tensor) -> Row:
    """What the LLM reads to predict the tokens of a continuation.

    Args:
        context: vectors ``(C, H)``; if there are none, the first token is not predicted.
        inputs: vectors ``(M, H)`` of the continuation; tokens: ``(M,)`` that they stand for.

    Raises:
        ValueError: there is nothing to predict, or nothing to predict it from.
    """
    targets = tokens if len(context) else tokens[1:]
    if not len(targets):
        raise ValueError(
            "nothing to score: the continuation has no tokens, or only one and no context"
        )
    return Row(torch.cat([context, inputs[:-1]]), targets)


@torch.no_grad()
def score_rows(rows: Sequence[Row], llm: LanguageModel) -> list[Score]:
    """Scores of each row's targets."""
    found: dict[str, Score] = {}
    lengths = {str(n): len(row.inputs) for n, row in enumerate(rows)}
    for batch in length_buckets(lengths, MAX_POSITIONS):
        part = [rows[int(n)] for n in batch]
        targets = [row.targets for row in part]
        nats = score_tokens(llm.logits, predicting_states(part, llm), torch.cat(targets)).nats
        per_row = (-nats).cpu().split([len(t) for t in targets])
        for n, ids, values in zip(batch, targets, per_row, strict=True):
            found[n] = Score(ids.cpu(), values)
    return [found[n] for n in lengths]
