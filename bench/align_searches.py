"""The searches that ``bench/align.py`` compares: recordings to the frame each label starts in."""

from __future__ import annotations

from collections.abc import Sequence

import ctc_segmentation
import numpy as np
from align_recordings import FRAME_RATE, Recording
from plain_search import plain_monotonic_search

from espnet_ssr.align.monotonic import MonotonicSearch
from espnet_ssr.align.viterbi import viterbi_align

FRAMES_AT_ONCE = 256

Starts = list[np.ndarray]


def pad(recordings: Sequence[Recording]) -> tuple[np.ndarray, ...]:
    """Arguments of ``viterbi_align``: a batch as the network would give it."""
    lengths = [len(recording.log_probs) for recording in recordings]
    label_lengths = [len(recording.labels) for recording in recordings]
    num_symbols = recordings[0].log_probs.shape[1]
    log_probs = np.zeros((len(recordings), max(lengths), num_symbols), np.float32)
    labels = np.zeros((len(recordings), max(label_lengths)), np.int64)
    for b, recording in enumerate(recordings):
        log_probs[b, : lengths[b]] = recording.log_probs
        labels[b, : label_lengths[b]] = recording.labels
    return log_probs, np.array(lengths), labels, np.array(label_lengths)


def ours_numba(recordings: Sequence[Recording], batch: tuple[np.ndarray, ...]) -> Starts:
    return [path.start for path in viterbi_align(*batch, backend="numba")]


def ours_torch(recordings: Sequence[Recording], batch: tuple[np.ndarray, ...]) -> Starts:
    return [path.start for path in viterbi_align(*batch, backend="torch")]


def peer_ctc_segmentation(recordings: Sequence[Recording], batch) -> Starts:
    """The PyPI package with its defaults: it searches a window of 8000 frames (160 s) along the
    text, so long recordings are not searched exactly, and starts again with twice that if it
    fails."""
    starts = []
    for recording in recordings:
        config = ctc_segmentation.CtcSegmentationParameters(
            char_list=[str(i) for i in range(recording.log_probs.shape[1])],
            index_duration=1 / FRAME_RATE,
        )
        truth, _ = ctc_segmentation.prepare_token_list(config, [recording.labels])
        seconds, _, _ = ctc_segmentation.ctc_segmentation(config, recording.log_probs, truth)
        # Its text begins with a sentinel and a blank and ends with a blank.
        starts.append(np.rint(seconds[2:-1] * FRAME_RATE).astype(int))
    return starts


def plain_monotonic(recordings: Sequence[Recording], batch) -> Starts:
    durations = [plain_monotonic_search(r.log_probs[:, r.labels]) for r in recordings]
    return [np.cumsum(d) - d for d in durations]


def compiled_monotonic(recordings: Sequence[Recording], batch) -> Starts:
    """Ours for UnitY2-style aligners, with the scores of some frames in memory at once."""
    starts = []
    for recording in recordings:
        search = MonotonicSearch(len(recording.log_probs), len(recording.labels))
        for begin in range(0, len(recording.log_probs), FRAMES_AT_ONCE):
            search.add(recording.log_probs[begin : begin + FRAMES_AT_ONCE, recording.labels])
        durations = search.durations()
        starts.append(np.cumsum(durations) - durations)
    return starts


OURS = "Viterbi, numba (ours)"
TORCH = "Viterbi, torch (ours)"
PEER = "ctc-segmentation"
COMPILED = "monotonic, numba (ours)"
PLAIN = "monotonic, plain Python"

SEARCHES = {
    OURS: ours_numba,
    TORCH: ours_torch,
    PEER: peer_ctc_segmentation,
    COMPILED: compiled_monotonic,
    PLAIN: plain_monotonic,
}
CTC_SEARCHES = (OURS, TORCH, PEER)
"""Those that give a label the frames of its peak: the monotonic ones have no blanks."""
