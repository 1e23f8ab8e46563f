"""A random encoder for tests: the shapes and frame rate of a real one at no cost."""

from __future__ import annotations

import torch

from espnet_ssr.encoder.abs import AbsEncoder


class TinyEncoder(AbsEncoder):
    """Fixed random projection of 20 ms frames of the waveform (50 Hz).

    Args:
        output_size: width of a frame.
        seed: of the projection; the same seed gives the same encoder everywhere.
    """

    frame_rate = 50.0
    _hop = 320

    def __init__(self, output_size: int = 16, seed: int = 0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        projection = torch.randn(self._hop, output_size, generator=generator)
        self.register_buffer("projection", projection / self._hop**0.5)

    def output_size(self) -> int:
        return self.projection.size(1)

    def forward(self, speech, speech_lengths):
        lengths = (speech_lengths + self._hop - 1) // self._hop
        padding = int(lengths.max()) * self._hop - speech.size(1)
        frames = torch.nn.functional.pad(speech, (0, padding)).unfold(1, self._hop, self._hop)
        mask = torch.arange(frames.size(1), device=speech.device) < lengths[:, None]
        return torch.tanh(frames @ self.projection) * mask[..., None], lengths
