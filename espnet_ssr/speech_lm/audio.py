"""Audio as users have it: checked, mixed, at the encoder's rate, in windows."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import soxr
import torch

from espnet_ssr.data.format import DropUtterance, Recording, read_recording

WINDOW_SECONDS = 30.0  # the longest that Whisper knows
SEARCH_SECONDS = 5.0  # at the end of a window, for a quiet place to cut
QUIET_SECONDS = 0.2

Wave = np.ndarray | torch.Tensor | str | os.PathLike
"""Samples, or the path of an audio file."""


@dataclass(frozen=True, eq=False)
class Speech:
    """An utterance, for where text may stand, too.

    Attributes:
        wav: mono samples ``(N,)``, floats in [-1, 1] or int16; or the path of a file of any format,
            rate and channels (they are mixed).
        sample_rate: of the samples, Hz. A file knows its own.
        text: what is said; None: unknown.
    """

    wav: Wave
    sample_rate: int = 16000
    text: str | None = None


def load_speech(speech: Speech, name: str, sample_rate: int) -> np.ndarray:
    """Samples ``(N,)``, float32, N at least 1, resampled (soxr) if need be.

    Args:
        name: of the utterance, for messages.
        sample_rate: wanted, Hz.

    Raises:
        ValueError: no samples, several channels, integers but int16, NaN or infinite samples; of a
            file also unreadable or truncated.
    """
    if isinstance(speech.wav, (str, os.PathLike)):
        try:
            samples = read_recording(Recording(os.fspath(speech.wav)), sample_rate)
        except DropUtterance as error:
            raise ValueError(f"{name}: {error.args[0]}: {error.args[1]}") from None
    else:
        samples = _check_samples(speech.wav, name)
        if speech.sample_rate <= 0:
            raise ValueError(f"{name}: sample_rate must be positive, not {speech.sample_rate}")
        if speech.sample_rate != sample_rate and len(samples):
            samples = soxr.resample(samples, speech.sample_rate, sample_rate)
    if not len(samples):
        raise ValueError(f"{name}: the audio is empty")
    return samples


def _check_samples(wav: np.ndarray | torch.Tensor, name: str) -> np.ndarray:
    if isinstance(wav, torch.Tensor):
        wav = wav.detach().cpu()
        wav = (wav.float() if wav.is_floating_point() else wav).numpy()
    if not isinstance(wav, np.ndarray):
        raise TypeError(
            f"{name}: audio is a NumPy array, a torch tensor or a path, not {type(wav).__name__}"
        )
    if wav.ndim != 1:
        raise ValueError(
            f"{name}: samples of shape {wav.shape}: give one channel, for example the mean of all"
        )
    if wav.dtype == np.int16:
        return wav.astype(np.float32) / 32768
    if not np.issubdtype(wav.dtype, np.floating):
        raise ValueError(f"{name}: samples are floats in [-1, 1] or int16, not {wav.dtype}")
    if not np.isfinite(wav).all():
        raise ValueError(f"{name}: there are NaN or infinite samples")
    return wav.astype(np.float32, copy=False)


def find_windows(samples: np.ndarray, sample_rate: int) -> list[tuple[int, int]]:
    """``[begin, end)`` of windows of at most 30 s that cover ``samples``.

    A window that is not the last ends at the quietest place of its last 5 s, so that words stay
    whole.
    """
    longest, search = (round(s * sample_rate) for s in (WINDOW_SECONDS, SEARCH_SECONDS))
    windows, begin = [], 0
    while len(samples) - begin > longest:
        end = begin + longest
        end -= _quietest_from_end(samples[end - search : end], round(QUIET_SECONDS * sample_rate))
        windows.append((begin, end))
        begin = end
    return [*windows, (begin, len(samples))]


def _quietest_from_end(samples: np.ndarray, size: int) -> int:
    """Samples from the middle of the quietest ``size`` to the end; the last of equal ones."""
    energy = np.cumsum(np.square(samples[::-1], dtype=np.float64))
    energy = np.concatenate([[0.0], energy])
    return int(np.argmin(energy[size:] - energy[:-size])) + size // 2
