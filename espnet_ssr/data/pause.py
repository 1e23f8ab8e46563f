"""Shortening long pauses: frames (or samples) are cut out before a batch is made.

A pause belongs to the token after it, and a long one drowns that token's few frames. What is cut is
kept as times beside the segments (``pause``: ``utt start end start end ...``, seconds), so that
features and audio stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espnet_ssr.align.alignment import Span

NOTHING = [0.0, 0.0]  # ESPnet's readers want a number for every utterance


def find_cuts(words: Sequence[Span], seconds: float, max_pause: float) -> list[float]:
    """What to cut out of an utterance: ``[start, end, start, end, ...]``, never empty.

    Args:
        words: its words.
        seconds: its duration.
        max_pause: what is kept of a pause, at its end; of the silence after the last word, at
            its start.
    """
    edges = [0.0, *(t for span in words for t in (span.start, span.end))]
    cuts = [
        t
        for end, start in zip(edges[::2], edges[1::2], strict=False)
        if start - end > max_pause
        for t in (end, start - max_pause)
    ]
    if seconds - edges[-1] > max_pause:
        cuts += [edges[-1] + max_pause, seconds]
    return cuts or NOTHING


def cut_frames(frames: np.ndarray, rate: float, cuts: np.ndarray) -> np.ndarray:
    """``frames`` ``(T, ...)`` without those that begin inside a cut; ``rate`` of them a second."""
    keep = np.ones(len(frames), dtype=bool)
    for start, end in np.ceil(cuts.reshape(-1, 2) * rate - 1e-3).astype(int):
        keep[start:end] = False
    return frames[keep]


def cut_pauses(
    data: dict[str, np.ndarray], frame_rate: float, sample_rate: int
) -> dict[str, np.ndarray]:
    """An example without its pauses: ``feats`` or ``speech`` cut, ``token_end`` shifted, ``pause``
    gone."""
    # Whole frames, or feats and token_end would drift apart from cut to cut.
    cuts = np.ceil(data["pause"].astype(np.float64) * frame_rate - 1e-3) / frame_rate
    shortened = {name: value for name, value in data.items() if name != "pause"}
    for name, rate in (("feats", frame_rate), ("speech", sample_rate)):
        if name in data:
            shortened[name] = cut_frames(data[name], rate, cuts)
    token_end = shift_times(data["token_end"], cuts)
    shortened["token_end"] = token_end.astype(data["token_end"].dtype)
    return shortened


def shift_times(times: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Where ``times`` (seconds) are after the cuts."""
    starts, ends = cuts.reshape(-1, 2).T
    inside = np.minimum(times[:, None], ends) - starts
    return times - inside.clip(min=0).sum(axis=1)
