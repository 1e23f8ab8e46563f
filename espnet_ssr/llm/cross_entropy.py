"""Cross-entropy over a large vocabulary without all logits in memory at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint


def chunked_cross_entropy(
    logits: Callable[[torch.Tensor], torch.Tensor],
    vectors: torch.Tensor,
    ids: torch.Tensor,
    chunk: int = 512,
) -> torch.Tensor:
    """Mean of ``cross_entropy(logits(vectors), ids)``, a chunk of vectors at a time.

    The logits of a chunk are computed again in the backward pass, so that not more than
    ``chunk x V`` of them are ever kept.

    Args:
        logits: ``(s, H)`` -> ``(s, V)``.
        vectors: ``(S, H)``; ids: ``(S,)``, S at least 1.
        chunk: vectors at a time.
    """

    def loss(part: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return cross_entropy(logits(part).float(), labels, reduction="sum")

    pairs = zip(vectors.split(chunk), ids.split(chunk), strict=True)
    return sum(checkpoint(loss, *pair, use_reentrant=False) for pair in pairs) / len(ids)
