"""Viterbi search on the CPU, compiled, one utterance after another on one core.

A frame costs two passes over the pairs that a path can be in (``Lattice.earliest``, ``latest``):
one looks up the labels' log-probabilities, one updates the scores in place. Both are plain loops
without branches, and LLVM makes SIMD code of the second.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from espnet_ssr.align import viterbi_lattice
from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.viterbi_lattice import FramePath, Lattice, nan_error, no_path_error


def search(
    log_probs: np.ndarray, lengths: np.ndarray, blank: int, lattices: dict[int, Lattice]
) -> dict[int, FramePath | AlignError]:
    """Best paths of a batch.

    Args:
        log_probs: ``(B, T, V)``, not copied if float32 and contiguous.
        lengths: frames ``(B,)``.
        lattices: of the utterances to align, by their index in the batch.
    """
    return {
        b: search_one(log_probs[b, : lengths[b]], blank, lattice) for b, lattice in lattices.items()
    }


def search_one(log_probs: np.ndarray, blank: int, lattice: Lattice) -> FramePath | AlignError:
    """Best path of one utterance, ``(T, V)``."""
    log_probs = np.ascontiguousarray(log_probs, dtype=np.float32)
    frame = first_bad_frame(log_probs)
    if frame < len(log_probs):
        return nan_error(frame)
    states = backward(log_probs, blank, lattice, forward(log_probs, blank, lattice))
    if states is None:
        return no_path_error(lattice)
    return FramePath(states, path_log_probs(log_probs, blank, lattice.symbols, states))


def forward(log_probs: np.ndarray, blank: int, lattice: Lattice) -> np.ndarray:
    """Scores ``(blocks, 2, L + 2)`` before the first frame of each block (see ``advance``)."""
    block, num_pairs = viterbi_lattice.BLOCK, len(lattice.symbols)
    starts = range(0, len(log_probs), block)
    checkpoints = np.full((len(starts), 2, num_pairs + 1), -np.inf, np.float32)
    checkpoints[0, 1, 0] = 0
    moves = np.empty((1, 2 * num_pairs), np.uint8)
    for i, begin in enumerate(starts[:-1]):
        scores = checkpoints[i + 1]
        scores[:] = checkpoints[i]
        advance(log_probs[begin : begin + block], begin, blank, lattice, 0, scores, moves)
        # The best label's score becomes zero: a sum over an hour would lose digits in float32.
        best = scores[1, 1:][lattice.labels_in_frame(begin + block - 1)].max(initial=-np.inf)
        if best > -np.inf:
            scores -= best
    return checkpoints


def backward(
    log_probs: np.ndarray, blank: int, lattice: Lattice, checkpoints: np.ndarray
) -> np.ndarray | None:
    """States ``(T,)`` of the best path, None if all paths score -inf."""
    num_frames, last = len(log_probs), len(lattice.symbols) - 1
    states = np.empty(num_frames, np.int32)
    state = None
    for i in range(len(checkpoints) - 1, -1, -1):
        begin = i * viterbi_lattice.BLOCK
        frames = log_probs[begin : begin + viterbi_lattice.BLOCK]
        # The path was in pair ``last`` after the block, so these are all it can have been in.
        first = max(last - len(frames) - 1, 0)
        scores = checkpoints[i, :, first : last + 2].copy()
        moves = np.empty((len(frames), 2 * (last + 1 - first)), np.uint8)
        advance(frames, begin, blank, lattice, first, scores, moves)
        if state is None:
            blank_score, label_score = scores[0, -1], scores[1, -2]
            if max(blank_score, label_score) == -np.inf:
                return None
            state = 2 * last - int(label_score > blank_score)
        state = 2 * first + trace(moves, state - 2 * first, states[begin : begin + len(frames)])
        states[begin : begin + len(frames)] += 2 * first
        last = state // 2
        del moves  # before those of the next block are there, too
    return states


@njit(cache=True, nogil=True)
def first_bad_frame(log_probs):
    """First frame of ``(T, V)`` with NaN or +inf, ``T`` if there is none."""
    for t in range(len(log_probs)):
        good = True
        for value in log_probs[t]:
            good &= value < np.inf
        if not good:
            return t
    return len(log_probs)


@njit(cache=True, nogil=True)
def advance(log_probs, begin, blank, lattice, first, scores, moves):
    """Take ``scores`` through the frames ``begin ...`` of ``log_probs`` ``(T, V)``, in place.

    Args:
        scores: ``(2, K + 1)``, blanks and labels of ``K`` pairs: those of pair ``first + k`` at
            ``k + 1``. The label before is at 0: at the start of the utterance all paths are there.
        moves: ``(T, 2 K)`` or, if they are of no use, ``(1, 2 K)`` to be overwritten.
    """
    num_pairs = scores.shape[1] - 1
    symbols = lattice.symbols[first : first + num_pairs]
    skip = lattice.skip[first : first + num_pairs]
    earliest = lattice.earliest[first : first + num_pairs]
    latest = lattice.latest[first : first + num_pairs]
    emission = np.empty(num_pairs, np.float32)
    low = high = 0
    for t in range(len(log_probs)):
        while high < num_pairs and earliest[high] <= begin + t:
            high += 1
        while low < high and latest[low] < begin + t:
            low += 1
        look_up(log_probs[t], symbols[low:high], emission)
        step(
            emission[: high - low],
            log_probs[t, blank],
            skip[low:high],
            scores[0, low + 1 : high + 1],
            scores[1, low + 1 : high + 1],
            scores[1, low],
            moves[t % len(moves), 2 * low : 2 * high],
        )
        scores[1, 0] = -np.inf


@njit(cache=True, nogil=True)
def look_up(row, symbols, emission):
    """``row`` ``(V,)`` at ``symbols``: apart from ``step``, which is SIMD code without it."""
    for k in range(len(symbols)):
        emission[k] = row[symbols[k]]


@njit(cache=True, nogil=True)
def step(emission, blank_emission, skip, blanks, labels, before, moves):
    """One frame for ``K`` pairs: scores ``blanks`` and ``labels`` in place, ``moves`` ``(2 K,)``.

    ``before`` is the score of the label before the first pair. Of equal scores the shortest move
    wins.
    """
    for k in range(len(emission)):
        blank, label = blanks[k], labels[k]
        best, move = label, np.uint8(0)
        if blank > best:
            best, move = blank, np.uint8(1)
        skipping = before + skip[k]
        if skipping > best:
            best, move = skipping, np.uint8(2)
        enter = before > blank
        blanks[k] = blank_emission + (before if enter else blank)
        labels[k] = emission[k] + best
        moves[2 * k] = enter
        moves[2 * k + 1] = move
        before = label


@njit(cache=True, nogil=True)
def trace(moves, state, states):
    """Follow ``moves`` ``(T, S)`` back from ``state`` in the last frame: fills ``states`` ``(T,)``
    and returns the state before the first frame."""
    for t in range(len(moves) - 1, -1, -1):
        states[t] = state
        state -= moves[t, state]
    return state


@njit(cache=True, nogil=True)
def path_log_probs(log_probs, blank, symbols, states):
    """Log-probabilities ``(T,)`` of a path."""
    values = np.empty(len(states), np.float32)
    for t, state in enumerate(states):
        values[t] = log_probs[t, symbols[state // 2] if state % 2 else blank]
    return values
