"""Frame stacking (SLAM-LLM, arXiv 2402.08846): some frames side by side, an MLP.

Differences from the original: the last, incomplete group is filled up with zeros (SLAM-LLM drops
it), layer norm on the input, GELU, optionally a convolution over the frames first.
"""

from __future__ import annotations

import torch

from espnet_ssr.connector.abs import AbsConnector, ConnectorOutput
from espnet_ssr.connector.mlp import feedforward
from espnet_ssr.connector.segments import unpack_segments
from espnet_ssr.tensors import length_mask


class StackConnector(AbsConnector):
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
        super().__init__()
        self.frames = frames
        self.convolution = FrameConvolution(input_size, kernel_size) if kernel_size else None
        self.mlp, width = feedforward(input_size * frames, hidden_size, num_layers, dropout_rate)
        self.output = torch.nn.Linear(width, output_size)

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``AbsConnector.forward``; ``token_end`` and ``token_lengths`` are not used."""
        if self.convolution is not None:
            feats = self.convolution(feats, feats_lengths)
        groups, _, lengths = pack_groups(feats, feats_lengths, self.frames)
        embeds = self.output(self.mlp(groups.flatten(1)))
        return ConnectorOutput(unpack_segments(embeds, lengths), lengths)


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


def pack_groups(
    feats: torch.Tensor, lengths: torch.Tensor, size: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cut each utterance into groups of ``size`` frames, the last one filled up with zeros.

    Args:
        feats: ``(B, T, D)``; lengths: ``(B,)`` in frames.

    Returns:
        the groups ``(S, size, D)`` of all utterances, one after the other; ``(S, size)``, True
        where a group has frames; ``(B,)``, the groups of each utterance, which ``S`` is the sum of.
    """
    missing = -feats.size(1) % size
    feats = torch.nn.functional.pad(feats, (0, 0, 0, missing)).unflatten(1, (-1, size))
    mask = length_mask(lengths, feats.size(1) * size).unflatten(1, (-1, size))
    used = mask[..., 0]
    return feats[used].where(mask[used][..., None], 0), mask[used], used.sum(1)
