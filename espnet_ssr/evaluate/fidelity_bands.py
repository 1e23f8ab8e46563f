"""Where vectors are like the embeddings of their tokens: by how often a token occurred in training,
and by its place in the utterance."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from espnet_ssr.llm.embedding import EmbeddingSpace

FREQUENCIES = (0, 1, 10, 100, 1000)
"""Least number of occurrences in the training set of each band; the last one is open."""

POSITIONS = (0, 1, 2, 4, 8, 16, 32, 64)
"""First position, from 0, of each band; the last one is open."""


def fidelity_by_band(
    vectors: torch.Tensor,
    lengths: Sequence[int],
    token_id: torch.Tensor,
    counts: torch.Tensor,
    space: EmbeddingSpace,
) -> dict[str, list[dict]]:
    """Figures by band.

    Args:
        vectors: ``(S, H)`` of all tokens of a set, utterance by utterance; token_id: ``(S,)``.
        lengths: number of tokens of each utterance, S in sum.
        counts: ``(V,)``, how often each token occurs in the training set.
        space: the LLM's embeddings.

    Returns:
        ``frequency`` and ``position``: for each band that has tokens ``from`` and ``to``
        (inclusive; None: open), its number of ``tokens`` and the means of ``token_accuracy``,
        ``cosine``, ``centred_cosine`` and ``mse``.
    """
    figures = {name: values.cpu() for name, values in space.fidelity(vectors, token_id).items()}
    figures["token_accuracy"] = (space.nearest(vectors) == token_id).float().cpu()
    positions = torch.cat([torch.arange(n) for n in lengths])
    return {
        "frequency": _bands(counts[token_id].cpu(), FREQUENCIES, figures),
        "position": _bands(positions, POSITIONS, figures),
    }


def _bands(
    values: torch.Tensor, edges: Sequence[int], figures: dict[str, torch.Tensor]
) -> list[dict]:
    band = torch.bucketize(values, torch.tensor(edges), right=True) - 1
    ends = [*(edge - 1 for edge in edges[1:]), None]
    return [
        {
            "from": first,
            "to": last,
            "tokens": int((band == n).sum()),
            **{name: figure[band == n].mean().item() for name, figure in figures.items()},
        }
        for n, (first, last) in enumerate(zip(edges, ends, strict=True))
        if (band == n).any()
    ]
