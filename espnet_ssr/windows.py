"""Long signals in overlapping windows: what a network makes of the whole, in linear memory.

Networks with attention take time and memory that grow with the square of the signal, or know a
limited number of positions. A window is read with context on both sides; the frames made of the
context are thrown away, and what is left of all windows are the frames of the whole, in number
exactly and in value as nearly as the context allows (``doc/long_form.md``). Windows begin on the
grid of frames, so that a frame sees the same samples in a window as in the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from espnet_ssr.batching import length_buckets

Encode = Callable[[list], Sequence[torch.Tensor]]
"""Signals ``(N, ...)`` to frames ``(T, ...)`` of each."""


class Window(NamedTuple):
    """Frames ``begin ... end - 1`` of the whole are read, and those of them that are in ``kept``
    (counted from ``begin``) are used."""

    begin: int
    end: int
    kept: slice


@dataclass(frozen=True)
class Windows:
    """How signals are cut.

    Attributes:
        length: frames of the longest signal that is encoded whole, and of a window of a longer one.
        context: frames at either side of a window that are read only; fewer than half of it.
        hop: samples (or whatever the signal is made of) from one frame to the next.
        overhang: further samples that a frame sees, as networks without padding have it.

    Raises:
        ValueError: nothing would be left between the contexts.
    """

    length: int
    context: int
    hop: int = 1
    overhang: int = 0

    def __post_init__(self):
        if not 0 <= 2 * self.context < self.length:
            raise ValueError(
                f"windows of {self.length} frames with {self.context} of context at either side: "
                "context must be less than half of a window"
            )

    def cut(self, num_frames: int) -> list[Window]:
        """The windows of a signal of ``num_frames``, in order; the last one, too, is of full
        length, so that windows make batches without padding."""
        if num_frames <= self.length:
            return [Window(0, num_frames, slice(0, num_frames))]
        windows, done = [], 0
        while done < num_frames:
            begin = min(max(done - self.context, 0), num_frames - self.length)
            end = begin + self.length
            stop = num_frames if end == num_frames else end - self.context
            windows.append(Window(begin, end, slice(done - begin, stop - begin)))
            done = stop
        return windows

    def read(self, signal, window: Window):
        """The part of a signal ``(N, ...)`` that a window is made of."""
        return signal[window.begin * self.hop : window.end * self.hop + self.overhang]

    def encode(
        self, encode: Encode, signals: Sequence, num_frames: Sequence[int]
    ) -> list[torch.Tensor]:
        """Frames ``(T, ...)`` of each signal.

        Args:
            encode: gives frames of parts, or of a signal that is not longer than a window.
            num_frames: ``T`` of each signal.
        """
        windows = [self.cut(n) for n in num_frames]
        # What is encoded whole is passed on whole, with what is less than a frame at its end.
        parts = [
            x if len(ws) == 1 else self.read(x, w)
            for x, ws in zip(signals, windows, strict=True)
            for w in ws
        ]
        frames = iter(encode(parts))
        return [torch.cat([next(frames)[w.kept] for w in ws]) for ws in windows]


def encode_in_batches(encode: Encode, signals: list, max_size: int) -> list[torch.Tensor]:
    """Frames of signals ``(N, ...)``, encoded in batches of like length.

    Args:
        max_size: of a padded batch, in samples; a longer signal is a batch by itself.
    """
    frames: dict[int, torch.Tensor] = {}
    for batch in length_buckets({i: len(x) for i, x in enumerate(signals)}, max_size):
        frames.update(zip(batch, encode([signals[i] for i in batch]), strict=True))
    return [frames[i] for i in range(len(signals))]
