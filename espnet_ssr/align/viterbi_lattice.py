"""The states that a CTC path may take, shared by the searches on CPU and GPU.

A path of ``L`` labels goes through ``2 L + 1`` states (Graves et al. 2006, section 4.1): state
``2 k`` is the blank before label ``k``, state ``2 k + 1`` the label, state ``2 L`` the last blank.
A frame moves it on by 0, 1 or 2 states; by 2 only from a label to a different one. States ``2 k``
and ``2 k + 1`` are pair ``k``. The last pair has no label: its slot is computed and never read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from espnet_ssr.align.abs import AlignError

BLOCK = 2048
"""Frames between two checkpoints. The searches keep the scores of all states once a block. The
moves (one byte a state) are computed again, block by block from the end, for only those states that
the best path can have come through: it crosses at most one pair a frame. That loses no path, costs
little time, and an hour with 50,000 labels takes 45 MiB where all its moves would take 17 GiB.
At 50 Hz a block is 41 s, and shorter utterances are searched once."""


class Lattice(NamedTuple):
    """The pairs of one utterance, arrays ``(L + 1,)``.

    Attributes:
        symbols: uint32, column of the log-probabilities for each label (blank for the last pair).
        skip: float32, 0 where a label may follow the one before it directly, -inf where not.
        earliest: int64, first frame in which a path can be in the pair.
        latest: int64, last frame from whose label a path can still reach the end.
    """

    symbols: np.ndarray
    skip: np.ndarray
    earliest: np.ndarray
    latest: np.ndarray

    def labels_in_frame(self, frame: int) -> slice:
        """The labels that a path can be in, give or take those that score -inf anyway."""
        low = np.searchsorted(self.latest, frame)
        high = np.searchsorted(self.earliest[:-1], frame, side="right")
        return slice(int(low), int(high))


class FramePath(NamedTuple):
    """The best path, frame by frame: its states and their log-probabilities, both ``(T,)``."""

    states: np.ndarray
    log_probs: np.ndarray


def build_lattice(labels: np.ndarray, num_frames: int, num_symbols: int, blank: int) -> Lattice:
    """The lattice of ``labels`` ``(L,)`` in ``num_frames`` frames; raises ``AlignError``."""
    if len(labels) == 0:
        raise AlignError("empty_text", "there are no labels to align")
    k = first_bad_label(labels, num_symbols, blank)
    if k < len(labels):
        raise AlignError(
            "bad_label",
            f"label {labels[k]} at position {k} is not one of 0 ... {num_symbols - 1} "
            f"without the blank ({blank})",
        )
    lattice = shortest_lattice(labels, blank)
    needed = int(lattice.earliest[-1])
    if num_frames < needed:
        raise AlignError(
            "too_short",
            f"{num_frames} frames, but {len(labels)} labels of which {needed - len(labels)} "
            f"repeat the one before need {needed}: the text may be of another recording",
        )
    return lattice._replace(latest=lattice.latest + (num_frames - needed))


@njit(cache=True)
def first_bad_label(labels, num_symbols, blank):
    """First position in ``labels`` of what cannot be one, their number if all can be."""
    for k, label in enumerate(labels):
        if not 0 <= label < num_symbols or label == blank:
            return k
    return len(labels)


@njit(cache=True)
def shortest_lattice(labels, blank):
    """The lattice where there are as many frames as needed: ``earliest`` of the last pair."""
    num_labels = len(labels)
    symbols = np.empty(num_labels + 1, np.uint32)
    skip = np.zeros(num_labels + 1, np.float32)
    earliest = np.empty(num_labels + 1, np.int64)
    latest = np.empty(num_labels + 1, np.int64)
    frame = 0
    for k in range(num_labels):
        # Every label takes a frame, and so does the blank between equal neighbours.
        earliest[k] = frame
        if k > 0 and labels[k] == labels[k - 1]:
            skip[k] = -np.inf
            frame += 1
        symbols[k], latest[k] = labels[k], frame
        frame += 1
    symbols[-1], earliest[-1], latest[-1] = blank, frame, frame
    return Lattice(symbols, skip, earliest, latest)


def nan_error(frame: int) -> AlignError:
    """The network's fault: from ``frame`` on there are no numbers to search."""
    return AlignError("nan", f"the log-probabilities of frame {frame} hold NaN or +inf")


def no_path_error(lattice: Lattice) -> AlignError:
    """There are frames enough, but every path crosses a probability of zero."""
    return AlignError("no_path", f"all paths through {len(lattice.symbols) - 1} labels score -inf")


@njit(cache=True)
def label_spans(states, log_probs, num_labels):
    """First frame, last frame + 1 and mean log-probability ``(L,)`` of each label of a path."""
    start, end = np.empty(num_labels, np.int64), np.zeros(num_labels, np.int64)
    scores = np.zeros(num_labels)
    for t, state in enumerate(states):
        k = state // 2
        if state % 2 == 1:
            if end[k] == 0:
                start[k] = t
            end[k] = t + 1
            scores[k] += log_probs[t]
    for k in range(num_labels):
        scores[k] /= end[k] - start[k]
    return start, end, scores
