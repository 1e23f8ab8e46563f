"""The monotonic search of UnitY2's aligner in plain Python: the peer in ``bench/align.py``.

A reimplementation of the algorithm (Glow-TTS, arXiv 2005.11129, algorithm 1) in its published form:
a loop over frames and, in it, one over labels, with NumPy for storage only. It has no blanks, so
half the states of a CTC search.
"""

from __future__ import annotations

import numpy as np


def plain_monotonic_search(scores: np.ndarray) -> np.ndarray:
    """Frames of each label ``(L,)``, at least one, with the best sum of ``scores`` ``(T, L)``."""
    num_frames, num_labels = scores.shape
    total = np.full((num_frames, num_labels), -np.inf)
    total[0, 0] = scores[0, 0]
    for t in range(1, num_frames):
        total[t, 0] = total[t - 1, 0] + scores[t, 0]
        for k in range(1, min(t + 1, num_labels)):
            total[t, k] = max(total[t - 1, k - 1], total[t - 1, k]) + scores[t, k]
    durations = np.zeros(num_labels, np.int64)
    k = num_labels - 1
    for t in range(num_frames - 1, -1, -1):
        durations[k] += 1
        if k > 0 and total[t - 1, k - 1] >= total[t - 1, k]:
            k -= 1
    return durations
