"""CTC forced alignment: the best path through known labels, exact, for padded batches.

The search is compiled code on the CPU (``viterbi_numba``) and tensor operations on a GPU
(``viterbi_torch``); both find the same path bit by bit, ties included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from espnet_ssr.align import viterbi_numba, viterbi_torch
from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.viterbi_lattice import FramePath, Lattice, build_lattice, label_spans

Array = np.ndarray | torch.Tensor


@dataclass(frozen=True)
class CTCPath:
    """The best path of an utterance of ``L`` labels.

    Attributes:
        start: first frame ``(L,)`` of each label.
        end: one past its last frame ``(L,)``; frames between two labels are blank.
        scores: mean log-probability ``(L,)`` of each label over its frames.
        score: log-probability of the path, blanks included.
    """

    start: np.ndarray
    end: np.ndarray
    scores: np.ndarray
    score: float


def viterbi_align(
    log_probs: Array,
    lengths: Array,
    labels: Array,
    label_lengths: Array,
    blank: int = 0,
    backend: str | None = None,
) -> list[CTCPath | AlignError]:
    """Align every utterance of a batch with its labels.

    Of equally good paths it is the one with the shortest moves, from the last frame back.

    Args:
        log_probs: ``(B, T, V)`` CTC log-probabilities. float32 is not copied; on the CPU it should
            be contiguous, too. What lies beyond ``lengths`` is not read.
        lengths: frames ``(B,)``.
        labels: ``(B, L)`` columns of ``log_probs``, without blanks.
        label_lengths: ``(B,)``.
        blank: column of the blank.
        backend: ``numba`` or ``torch``; None: torch for tensors on a GPU, else numba.

    Returns:
        For each utterance its path or why there is none. Causes: ``empty_text``, ``bad_label``
        (out of range), ``too_short`` (fewer frames than labels and the blanks that equal
        neighbours need between them), ``nan`` (NaN or +inf), ``no_path`` (all paths have
        probability zero).

    Raises:
        ValueError: shapes, lengths or blank do not fit together, or there is no such backend.
    """
    if backend is None:
        on_gpu = isinstance(log_probs, torch.Tensor) and log_probs.is_cuda
        backend = "torch" if on_gpu else "numba"
    lengths, labels, label_lengths = map(_to_integers, (lengths, labels, label_lengths))
    _check_shapes(log_probs.shape, lengths, labels, label_lengths, blank)
    results: list = [
        _lattice_or_error(row[:size], int(frames), log_probs.shape[2], blank)
        for row, size, frames in zip(labels, label_lengths, lengths, strict=True)
    ]
    lattices = {b: result for b, result in enumerate(results) if isinstance(result, Lattice)}
    if backend == "numba":
        found = viterbi_numba.search(_to_numpy(log_probs), lengths, blank, lattices)
    elif backend == "torch":
        found = viterbi_torch.search(torch.as_tensor(log_probs), lengths, blank, lattices)
    else:
        raise ValueError(f"backend must be numba or torch, not {backend!r}")
    for b, path in found.items():
        results[b] = _to_ctc_path(path, label_lengths[b]) if isinstance(path, FramePath) else path
    return results


def _to_numpy(array: Array) -> np.ndarray:
    if not isinstance(array, torch.Tensor):
        return np.asarray(array)
    array = array.detach().cpu()
    # NumPy has no bfloat16.
    return (array.float() if array.is_floating_point() else array).numpy()


def _to_integers(array: Array) -> np.ndarray:
    array = _to_numpy(array)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"labels and lengths must be integers, not {array.dtype}")
    return array.astype(np.int64)


def _check_shapes(shape, lengths, labels, label_lengths, blank) -> None:
    if len(shape) != 3 or labels.ndim != 2:
        raise ValueError(f"expected (B, T, V) and (B, L), got {tuple(shape)} and {labels.shape}")
    num_utts, num_frames, num_symbols = shape
    if not labels.shape[:1] == lengths.shape == label_lengths.shape == (num_utts,):
        raise ValueError(
            f"{num_utts} utterances, but lengths {lengths.shape}, labels {labels.shape} and "
            f"label_lengths {label_lengths.shape}"
        )
    if not 0 <= blank < num_symbols:
        raise ValueError(f"blank is {blank}, log_probs has columns 0 ... {num_symbols - 1}")
    for name, values, most in (
        ("lengths", lengths, num_frames),
        ("label_lengths", label_lengths, labels.shape[1]),
    ):
        if ((values < 0) | (values > most)).any():
            raise ValueError(f"{name} must be 0 ... {most}: {values.tolist()}")


def _lattice_or_error(labels, num_frames, num_symbols, blank) -> Lattice | AlignError:
    try:
        return build_lattice(labels, num_frames, num_symbols, blank)
    except AlignError as error:
        return error


def _to_ctc_path(path: FramePath, num_labels: int) -> CTCPath:
    start, end, scores = label_spans(path.states, path.log_probs, num_labels)
    return CTCPath(start, end, scores, float(path.log_probs.sum(dtype=np.float64)))
