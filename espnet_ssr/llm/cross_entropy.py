"""Losses over a large vocabulary without all logits in memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.nn.functional import kl_div
from torch.utils.checkpoint import checkpoint

Logits = Callable[[torch.Tensor], torch.Tensor]
"""``(s, H)`` -> ``(s, V)``."""


class TokenScores(NamedTuple):
    """Of ``S`` tokens, each ``(S,)``."""

    nats: torch.Tensor
    """Negative log-likelihood."""

    correct: torch.Tensor
    """The token is the likeliest: 1.0, else 0.0; without a gradient."""

    divergence: torch.Tensor
    """KL divergence of the teacher's distribution from this one; zero without a teacher."""

    def split(self, n: int) -> tuple[TokenScores, TokenScores]:
        """Of the first ``n`` tokens, and of the rest."""
        return TokenScores(*(x[:n] for x in self)), TokenScores(*(x[n:] for x in self))

    def join(self, other: TokenScores) -> TokenScores:
        """Of these tokens and of ``other``'s."""
        return TokenScores(*map(torch.cat, zip(self, other, strict=True)))


def score_tokens(
    logits: Logits,
    vectors: torch.Tensor,
    ids: torch.Tensor,
    teacher: tuple[torch.Tensor, Logits] | None = None,
    chunk: int = 512,
) -> TokenScores:
    """Score tokens by the softmax of ``logits(vectors)``, a chunk of vectors at a time.

    The logits of a chunk are computed again in the backward pass, so that not more than
    ``chunk x V`` of them are ever kept.

    Args:
        logits: a function of each vector alone.
        vectors: ``(S, H)``; ids: ``(S,)``, S at least 1.
        teacher: vectors ``(S, H)`` and their logits, whose softmax is the one to be like; they get
            no gradient.
        chunk: vectors at a time.
    """

    def score(part, labels, teacher_part=None):
        log_probs = logits(part).float().log_softmax(-1)
        nats = -log_probs.gather(1, labels[:, None]).squeeze(1)
        correct = (log_probs.detach().argmax(-1) == labels).float()
        if teacher_part is None:
            return nats, correct, torch.zeros_like(correct)
        with torch.no_grad():
            wanted = teacher[1](teacher_part).float().log_softmax(-1)
        return nats, correct, kl_div(log_probs, wanted, reduction="none", log_target=True).sum(-1)

    inputs = [vectors.split(chunk), ids.split(chunk)]
    if teacher is not None:
        inputs.append(teacher[0].split(chunk))
    # Nothing is random here, so no random state need be kept.
    parts = [
        checkpoint(score, *part, use_reentrant=False, preserve_rng_state=False)
        for part in zip(*inputs, strict=True)
    ]
    return TokenScores(*(torch.cat(column) for column in zip(*parts, strict=True)))


def chunked_cross_entropy(
    logits: Logits, vectors: torch.Tensor, ids: torch.Tensor, chunk: int = 512
) -> torch.Tensor:
    """Mean of ``cross_entropy(logits(vectors), ids)``; see ``score_tokens``."""
    return score_tokens(logits, vectors, ids, chunk=chunk).nats.mean()
