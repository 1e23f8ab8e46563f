"""Batches of things of like length."""

from __future__ import annotations

import torch


def length_buckets(lengths: dict[str, int], max_samples: int) -> list[list[str]]:
    """Batches of utterances of like length whose padded size is at most ``max_samples``."""
    batches: list[list[str]] = []
    for utt_id in sorted(lengths, key=lambda u: (lengths[u], u)):
        # Sorted by length: the newcomer is the longest, so it sets the padded size.
        if batches and lengths[utt_id] * (len(batches[-1]) + 1) <= max_samples:
            batches[-1].append(utt_id)
        else:
            batches.append([utt_id])
    return batches


def bucket_by_length(lengths: torch.Tensor, growth: float = 1.4) -> list[torch.Tensor]:
    """Indices ``(b,)`` of each bucket of ``lengths (S,)``, shortest first; none of length 0.

    The longest of a bucket is at most ``growth`` times its shortest (or one longer), so that a
    single long one does not pad all others to its own length.
    """
    edges, edge = [0], 1
    longest = int(lengths.max()) if len(lengths) else 0
    while edge < longest:
        edges.append(edge)
        edge = max(edge + 1, int(edge * growth))
    bucket = torch.bucketize(lengths, torch.tensor(edges, device=lengths.device))
    return [torch.nonzero(bucket == b).squeeze(1) for b in bucket.unique().tolist() if b > 0]
