"""Where vectors are like the embeddings of their tokens: by how often a token occurred in training,
and by its place in the utterance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from espnet_ssr.llm.embedding import EmbeddingSpace

FREQUENCIES = (0, 1, 10, 100, 1000)
"""Least number of occurrences in the training set of each band; the last one is open."""

POSITIONS = (0, 1, 2, 4, 8, 16, 32, 64)
"""First position, from 0, of each band; the last one is open."""


COUNTS = {"_0": (0, 0), "_1_9": (1, 9), "_10_99": (10, 99), "_100": (100, None)}
"""Suffix of a figure's name -> first and last number of occurrences; None: open."""


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


def accuracy_by_count(bands: Sequence[Mapping]) -> dict[str, float]:
    """Token accuracy by how often a token occurred in training, in the bands of ``COUNTS``.

    Args:
        bands: ``frequency`` of ``fidelity_by_band``; finer ones are merged, weighted by tokens.

    Returns:
        ``token_accuracy_0``, ``_1_9``, ``_10_99`` and ``_100``, of bands that have tokens.

    Raises:
        ValueError: a band is of two of ``COUNTS``.
    """
    found = {}
    for suffix, (first, last) in COUNTS.items():
        parts = [b for b in bands if b["from"] >= first and (last is None or b["from"] <= last)]
        if last is not None and any(b["to"] is None or b["to"] > last for b in parts):
            raise ValueError(f"bands {[b['from'] for b in bands]}: not parts of {first} to {last}")
        if tokens := sum(b["tokens"] for b in parts):
            correct = sum(b["tokens"] * b["token_accuracy"] for b in parts)
            found[f"token_accuracy{suffix}"] = correct / tokens
    return found


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
