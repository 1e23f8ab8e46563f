"""Hard monotonic alignment search (Glow-TTS, arXiv 2005.11129, section 3.2; used by UnitY2).

Of all ways to cut ``T`` frames into ``L`` consecutive stretches, one a label and none empty, it
finds the one with the highest total score. The recursion over frames ``t`` and labels ``l`` is

    total[t, l] = score[t, l] + max(total[t - 1, l - 1], total[t - 1, l])

where a tie advances to the next label. A cell costs one bit of memory, so that an hour of speech
with its 50,000 characters needs a gigabyte, and cells through which no path leads (before a
label can have begun, or too late for the labels after it) are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from espnet_ssr.align.abs import AlignError


class MonotonicSearch:
    """The search of one utterance, fed with blocks of frames.

    Args:
        num_frames: ``T``.
        num_labels: ``L``, at least 1.

    Raises:
        AlignError: ``too_short``, there are fewer frames than labels.
    """

    def __init__(self, num_frames: int, num_labels: int):
        if num_frames < num_labels:
            raise AlignError(
                "too_short", f"{num_labels} labels need as many frames, there are {num_frames}"
            )
        self._num_frames = num_frames
        self._next_frame = 0
        # Column 0 stands before the first label, where every path begins. Two rows: the frame
        # before and this one.
        self._totals = np.full((2, num_labels + 1), -np.inf)
        self._totals[0, 0] = 0.0
        self._advanced = np.empty((num_frames, (num_labels + 7) // 8), np.uint8)

    def add(self, scores: np.ndarray) -> None:
        """The next frames: log-scores ``(frames, L)``, float32.

        Raises:
            ValueError: these are more than ``T`` frames, or not ``L`` labels.
        """
        # The compiled loops check no bounds.
        room = self._num_frames - self._next_frame, self._totals.shape[1] - 1
        if len(scores) > room[0] or scores.shape[1] != room[1]:
            raise ValueError(f"scores of shape {scores.shape}, but room for {room}")
        _forward(scores, self._next_frame, self._num_frames, self._totals, self._advanced)
        self._next_frame += len(scores)

    def durations(self) -> np.ndarray:
        """Frames of each label ``(L,)``, int64, when all frames have been added.

        Raises:
            AlignError: ``no_path``, scores are NaN or infinite.
        """
        if not np.isfinite(self._totals[self._num_frames % 2, -1]):
            raise AlignError("no_path", "scores are NaN or infinite: are the features?")
        return _backtrace(self._advanced, self._totals.shape[1] - 1)


def search_durations(
    scores: np.ndarray, num_frames: Sequence[int], num_labels: Sequence[int]
) -> list[np.ndarray | AlignError]:
    """Durations of a padded batch.

    Args:
        scores: log-scores ``(B, T, L)``, float32.
        num_frames, num_labels: lengths of each utterance, ``(B,)``.

    Returns:
        For each utterance the frames of each of its labels, or why it has no alignment.
    """
    results: list[np.ndarray | AlignError] = []
    for utterance, frames, labels in zip(scores, num_frames, num_labels, strict=True):
        try:
            search = MonotonicSearch(frames, labels)
            search.add(utterance[:frames, :labels])
            results.append(search.durations())
        except AlignError as error:
            results.append(error)
    return results


@numba.njit(cache=True, nogil=True)
def _forward(scores, first_frame, num_frames, totals, advanced):
    """Fill ``totals`` and the bits of ``advanced`` for the frames from ``first_frame`` on.

    Bit ``l`` of row ``t`` says that the best path to ``(t, l)`` was at label ``l - 1`` before.
    """
    num_labels = scores.shape[1]
    moves = np.zeros(8 * advanced.shape[1], np.uint8)
    for row in range(len(scores)):
        frame = first_frame + row
        begin = max(0, num_labels - num_frames + frame)
        end = min(num_labels, frame + 1)
        before, now, score = totals[frame % 2], totals[1 - frame % 2], scores[row, begin:end]
        # Slices, so that the compiler sees that no index is negative and uses vectors.
        move, stay, moved = before[begin:end], before[begin + 1 : end + 1], moves[begin:end]
        total = now[begin + 1 : end + 1]
        for i in range(len(total)):
            moved[i] = move[i] >= stay[i]
            total[i] = max(move[i], stay[i]) + score[i]
        now[0] = -np.inf
        for byte in range(begin // 8, (end + 7) // 8):
            packed = 0
            for bit in range(8):
                packed |= moves[8 * byte + bit] << bit
            advanced[frame, byte] = packed


@numba.njit(cache=True, nogil=True)
def _backtrace(advanced, num_labels):
    """Durations ``(L,)`` along the path that ends in the last label at the last frame."""
    durations = np.zeros(num_labels, np.int64)
    label = num_labels - 1
    for frame in range(len(advanced) - 1, -1, -1):
        durations[label] += 1
        label -= (advanced[frame, label // 8] >> (label % 8)) & 1
    return durations
