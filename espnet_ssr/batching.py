"""Batches of utterances of like length."""

from __future__ import annotations


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
