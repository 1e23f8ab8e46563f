"""Frame stacking (SLAM-LLM, arXiv 2402.08846): some frames side by side, an MLP.

Differences from the original: the last, incomplete group is filled up with zeros (SLAM-LLM drops
it), layer norm on the input, GELU, optionally a convolution over the frames first.
"""

from __future__ import annotations

import torch

from espnet_ssr.connector.mlp import MLPConnector
from espnet_ssr.connector.segments import pack_groups
from espnet_ssr.tensors import length_mask


class StackConnector(MLPConnector):
    """One vector for every ``frames`` frames: ``ceil(T / frames)`` an utterance.

    Args:
        input_size: width ``D`` of a frame.
        output_size: width ``H`` of the LLM's embeddings.
        frames: frames side by side; 5 of 50 a second give 10 vectors a second, as in the paper.
        kernel_size: frames that a convolution before the stacking sees, an odd number; 0: none.
        hidden_size: width of the hidden layers (the paper: 2048).
        num_layers: hidden layers (the paper: 1).
        dropout_rate: on the input of the MLP and after each hidden layer.
    """

    needs_segmentation = False
    token_aligned = False

    def __init__(
        self,
        input_size: int,
        output_size: int,
        frames: int = 5,
        kernel_size: int = 0,
        hidden_size: int = 1280,
        num_layers: int = 2,
        dropout_rate: float = 0.3,
    ):
        super().__init__(input_size * frames, output_size, hidden_size, num_layers, dropout_rate)
        self.frames = frames
        self.convolution = FrameConvolution(input_size, kernel_size) if kernel_size else None

    def compress(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``StateConnector.compress``; ``token_end`` and ``token_lengths`` are not used."""
        if self.convolution is not None:
            feats = self.convolution(feats, feats_lengths)
        groups, _, lengths = pack_groups(feats, feats_lengths, self.frames)
        return self.states(groups.flatten(1), lengths)


class FrameConvolution(torch.nn.Module):
    """Layer norm, convolution over the frames, GELU: ``(B, T, D)`` -> ``(B, T, D)``."""

    def __init__(self, size: int, kernel_size: int):
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be 0 or an odd number, not {kernel_size}")
        self.norm = torch.nn.LayerNorm(size)
        self.convolution = torch.nn.Conv1d(size, size, kernel_size, padding=kernel_size // 2)

    def forward(self, feats: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """``lengths``: ``(B,)``; what comes after them is neither seen nor of any use."""
        mask = length_mask(lengths, feats.size(1))[..., None]
        # Before the norm as well: NaN there would reach the gradients of its weights.
        x = self.norm(feats.where(mask, 0)).where(mask, 0)
        return torch.nn.functional.gelu(self.convolution(x.transpose(1, 2))).transpose(1, 2)
