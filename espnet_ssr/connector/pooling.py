"""Poolings: one vector a segment ``(S, d)`` out of packed states ``(P, d)``.

All are softmax-weighted sums and start as the mean. Sums over a segment are ``index_add``: there is
no padding and no loop, and what is not finite stays in its segment.
"""

from __future__ import annotations

import torch

from espnet_ssr.connector.segments import Rows


class MeanPooling(torch.nn.Module):
    """Mean of the states of a segment; ``size``: width ``d``, ``num_heads``: not used."""

    def __init__(self, size: int, num_heads: int):
        super().__init__()

    def forward(self, states: torch.Tensor, segments: Rows) -> torch.Tensor:
        return softmax_sums(states.new_zeros(len(states), 1), states[:, None], segments).flatten(1)


class AttentionPooling(torch.nn.Module):
    """Sum weighted by a learned score of each state; ``size``: ``d``, ``num_heads``: not used."""

    def __init__(self, size: int, num_heads: int):
        super().__init__()
        self.score = torch.nn.Linear(size, 1, bias=False)
        torch.nn.init.zeros_(self.score.weight)

    def forward(self, states: torch.Tensor, segments: Rows) -> torch.Tensor:
        return softmax_sums(self.score(states), states[:, None], segments).flatten(1)


class CrossPooling(torch.nn.Module):
    """Cross-attention of one learned query to the states of a segment (arXiv 1810.00825, PMA).

    Args:
        size: width ``d`` of a state.
        num_heads: attention heads.
    """

    def __init__(self, size: int, num_heads: int):
        super().__init__()
        self.query = torch.nn.Parameter(torch.zeros(num_heads, size // num_heads))
        self.key_value = torch.nn.Linear(size, 2 * size)
        self.output = torch.nn.Linear(size, size)

    def forward(self, states: torch.Tensor, segments: Rows) -> torch.Tensor:
        key, value = self.key_value(states).unflatten(-1, (len(self.query), -1)).chunk(2, dim=-1)
        scores = (key * self.query).sum(-1) * self.query.size(1) ** -0.5
        return self.output(softmax_sums(scores, value, segments).flatten(1))


POOLINGS = {"mean": MeanPooling, "attention": AttentionPooling, "cross": CrossPooling}


def softmax_sums(scores: torch.Tensor, values: torch.Tensor, segments: Rows) -> torch.Tensor:
    """Sums ``(S, n, size)`` over segments, weighted by the softmax of the scores in a segment.

    Args:
        scores: ``(P, n)``; values: ``(P, n, size)``. Computed in float32 at least.
        segments: rows ``(S,)`` of the packed states ``(P,)``; they may overlap.
    """
    index, owner = segments.members()
    dtype = torch.promote_types(scores.dtype, torch.float32)
    scores, values = (x.to(dtype).index_select(0, index) for x in (scores, values))
    nothing = scores.new_zeros(len(segments.first), scores.size(1))
    # Less the largest of a segment, so that no exponential overflows.
    largest = nothing.scatter_reduce(
        0, owner[:, None].expand_as(scores), scores.detach(), "amax", include_self=False
    )
    weights = (scores - largest[owner]).exp()
    weights = weights / nothing.index_add(0, owner, weights)[owner]
    zeros = nothing[..., None].expand(-1, -1, values.size(-1))
    return zeros.index_add(0, owner, weights[..., None] * values)
