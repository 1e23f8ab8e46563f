"""Continuous integrate-and-fire (CIF; Dong and Xu, arXiv 1905.11235).

A Transformer over the utterance; each of its states gets a weight between 0 and 1. The states are
summed by weight from left to right, and a vector is fired whenever the weights add up to 1: the
frame where they do is split between the vector that is complete and the next one.

Of the paper's support strategies all three are here: scaling of the weights to the number of
tokens where it is known, the quantity loss, and the vector fired from what is left at the end.

Differences from the paper: no down-sampling in the encoder and a smaller one, a layer norm on each
fired vector (so that the tail's has the size of the others), a quantity loss per token, and no
recogniser behind it.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from espnet_ssr.connector.abs import StateConnector, States
from espnet_ssr.connector.transformer import TransformerLayer, attend_all, position_table
from espnet_ssr.tensors import length_mask

# Weights start at about sigmoid(-2.5) = 0.08: some 4 vectors a second of 50 frames, near the rate
# of tokens, not at one half a frame.
INITIAL_LOGIT = -2.5


class CIFConnector(StateConnector):
    """One vector for every unit of weight; as many as there are tokens where that is known.

    Args:
        input_size: width ``D`` of a frame.
        output_size: width ``H`` of the LLM's embeddings.
        hidden_size: width of the Transformer.
        num_layers: Transformer layers.
        num_heads: attention heads.
        feedforward_size: width inside the feed-forward layers.
        kernel_size: frames, odd, that the convolution of the weights sees.
        dropout_rate: on the input of the Transformer and on each residual branch.
        quantity_weight: of the loss ``quantity``, see ``quantity_loss``.
    """

    needs_segmentation = False

    def __init__(
        self,
        input_size: int,
        output_size: int,
        hidden_size: int = 512,
        num_layers: int = 2,
        num_heads: int = 8,
        feedforward_size: int = 1024,
        kernel_size: int = 3,
        dropout_rate: float = 0.3,
        quantity_weight: float = 1.0,
    ):
        super().__init__()
        self.quantity_weight = quantity_weight
        self.input = torch.nn.Sequential(
            torch.nn.LayerNorm(input_size), torch.nn.Linear(input_size, hidden_size)
        )
        self.dropout = torch.nn.Dropout(dropout_rate)
        self.layers = torch.nn.ModuleList(
            TransformerLayer(hidden_size, num_heads, feedforward_size, dropout_rate)
            for _ in range(num_layers)
        )
        self.weights = FrameWeights(hidden_size, kernel_size)
        self.norm = torch.nn.LayerNorm(hidden_size)
        self.output = torch.nn.Linear(hidden_size, output_size)

    def compress(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``StateConnector.compress``; ``token_end`` is not looked at."""
        mask = length_mask(feats_lengths, feats.size(1))
        states = self._encode(feats, feats_lengths, mask)
        weights = self.weights(states).masked_fill(~mask, 0.0)
        losses = {}
        if token_lengths is not None:
            loss = quantity_loss(weights, token_lengths).float()
            losses["quantity"] = self.quantity_weight * loss
        if self.fires_freely(token_lengths):
            counts = count_fired(weights, feats_lengths)
        else:
            counts, weights = token_lengths, scale_to(weights, token_lengths)
        fired = integrate(weights, states, counts).to(self.norm.weight.dtype)
        is_vector = length_mask(counts, fired.size(1))
        return States(self.norm(fired[is_vector]), counts, losses)

    def forward(self, feats, feats_lengths, *segments, **more):
        """See ``AbsConnector.forward``; vectors of an utterance without frames are zero."""
        output = super().forward(feats, feats_lengths, *segments, **more)
        output.embeds = output.embeds.masked_fill((feats_lengths == 0)[:, None, None], 0.0)
        return output

    def fires_freely(self, token_lengths: torch.Tensor | None) -> bool:
        """The weights alone decide how many vectors there are."""
        return token_lengths is None

    def _encode(self, feats, feats_lengths, mask):
        """States ``(B, T, d)``, zero after each length."""
        x = self.input(feats.masked_fill(~mask[..., None], 0.0))
        x = self.dropout(x + position_table(x.size(1), x))
        attend = attend_all(feats_lengths, x.size(1))
        for layer in self.layers:
            x = layer(x, attend)
        return x.masked_fill(~mask[..., None], 0.0)


class FrameWeights(torch.nn.Module):
    """Convolution over frames, linear layer, sigmoid: states ``(B, T, d)`` -> weights ``(B, T)``.

    The weights are float64, as what is summed of them decides where vectors end.
    """

    def __init__(self, size: int, kernel_size: int):
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, not {kernel_size}")
        width = size // 4
        self.conv = torch.nn.Conv1d(size, width, kernel_size, padding=kernel_size // 2)
        self.linear = torch.nn.Linear(width, 1)
        torch.nn.init.constant_(self.linear.bias, INITIAL_LOGIT)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        around = self.conv(states.transpose(1, 2)).transpose(1, 2)
        return self.linear(around.relu()).squeeze(-1).double().sigmoid()


def quantity_loss(weights: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Vectors that weights ``(B, T)`` give too many or too few of, per token of the batch.

    The paper has the sum over an utterance; divided by the tokens it stands beside losses that
    are means over tokens, and long utterances do not weigh more than their tokens do.
    """
    return (weights.sum(1) - counts).abs().sum() / counts.sum().clamp(min=1)


def scale_to(weights: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Weights ``(B, T)`` that add up to ``counts`` ``(B,)``; weights that are all 0 stay 0."""
    return weights * (counts / weights.sum(1).clamp(min=1e-12))[:, None]


def count_fired(weights: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Vectors ``(B,)`` that weights ``(B, T)`` fire.

    A rest of half a vector or more fires one too. At least one where there is a frame; never more
    than frames ``(B,)``.
    """
    counts = (weights.detach().sum(1) + 0.5).nan_to_num(0.0).long()
    return torch.minimum(counts.clamp(min=1), lengths)


def integrate(weights: torch.Tensor, states: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Sum states by weight between the places where the weights add up to whole numbers.

    With ``S(a)`` the sum of ``weight * state`` up to where the weights add up to ``a`` (a frame
    counts by the part of its weight that is needed), vector ``j`` is ``S(j + 1) - S(j)``. ``S`` is
    linear inside a frame, so all that is needed is the cumulative sums and the frames where the
    whole numbers are reached: memory grows with ``T + N``, gradients are those of the paper's
    loop, and a frame of more weight than 1 gives several vectors. In double precision, as the
    difference of two sums over an hour loses the digits that matter.

    Args:
        weights: ``(B, T)``, 0 after the end of an utterance; states: ``(B, T, d)``.
        counts: vectors ``(B,)``; the last takes what is left where the weights add up to less.

    Returns:
        ``(B, N, d)`` float64, where ``N`` is the largest of ``counts``; what comes after an
        utterance's own is to be ignored.
    """
    weights, states = weights.double(), states.double()
    passed = weights.cumsum(1)
    edges = torch.arange(int(counts.max()) + 1, device=weights.device, dtype=weights.dtype)
    edges = torch.minimum(edges, passed[:, -1:])
    # A sum of NaN is never reached.
    frame = torch.searchsorted(passed.detach(), edges.detach()).clamp(max=weights.size(1) - 1)
    before = pad(passed, (1, 0)).gather(1, frame)
    sums = pad((weights[..., None] * states).cumsum(1), (0, 0, 1, 0))
    index = frame[..., None].expand(-1, -1, states.size(-1))
    part = (edges - before)[..., None] * states.gather(1, index)
    return (sums.gather(1, index) + part).diff(dim=1)
