"""The interface of every encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch


class AbsEncoder(torch.nn.Module, ABC):
    """Turns audio into frame features. Frozen and in evaluation mode unless said otherwise."""

    sample_rate: int = 16000
    """Rate of the audio that ``forward`` takes, in Hz."""

    frame_rate: float
    """Frames a second of audio."""

    @abstractmethod
    def output_size(self) -> int:
        """Width ``D`` of a frame."""

    @abstractmethod
    def forward(
        self, speech: torch.Tensor, speech_lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode a batch; an utterance's features do not depend on its neighbours or padding.

        Args:
            speech: samples ``(B, N)`` in [-1, 1], zero-padded at the end.
            speech_lengths: ``(B,)`` in samples.

        Returns:
            features ``(B, T, D)``, zero after each end, and their lengths ``(B,)`` in frames.
        """


def check_layer(layer: int, num_layers: int, model: str) -> None:
    """Raise a ValueError if a network of ``num_layers`` has no such layer, counted from 1."""
    if not 1 <= layer <= num_layers:
        raise ValueError(f"layer must be between 1 and {num_layers} for {model}, not {layer}")
