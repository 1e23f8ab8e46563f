"""The SSR connector (arXiv 2410.00168, section 3; its cousin STAR, github steventan0110/STAR).

A linear layer, a causal Transformer, its state at the last frame of each segment, a linear layer
to the LLM's width. With ``attention: block`` a frame sees the frames before it in its own
segment (the paper's blockwise mask); with ``attention: causal`` all frames before it.

Differences from the paper: pre-norm layers, layer norm on the input, sinusoidal positions that
count from the segment's start in block attention.
"""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention

from espnet_ssr.connector.abs import AbsConnector, ConnectorOutput
from espnet_ssr.connector.segments import (
    bucket_by_length,
    pack_segments,
    unpack_segments,
)
from espnet_ssr.tensors import length_mask, sinusoids

# At full scale the positions are larger than the projected features and drown them at first, which
# a small corpus does not forgive.
POSITION_SCALE = 0.1


class SSRConnector(AbsConnector):
    """Alignment-aware compressor: one vector a segment.

    Args:
        input_size: width ``D`` of a frame.
        output_size: width ``H`` of the LLM's embeddings.
        attention: ``block`` or ``causal``, see above.
        hidden_size: width of the Transformer (the paper: the LLM's).
        num_layers: Transformer layers.
        num_heads: attention heads.
        feedforward_size: width inside the feed-forward layers; None means 4 * hidden_size.
        dropout_rate: on the input of the Transformer and on each residual branch.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        attention: str = "block",
        hidden_size: int = 256,
        num_layers: int = 4,
        num_heads: int = 4,
        feedforward_size: int | None = None,
        dropout_rate: float = 0.2,
    ):
        super().__init__()
        if attention not in ("block", "causal"):
            raise ValueError(f"attention must be 'block' or 'causal', not {attention!r}")
        self.attention = attention
        self.input = torch.nn.Sequential(
            torch.nn.LayerNorm(input_size), torch.nn.Linear(input_size, hidden_size)
        )
        self.dropout = torch.nn.Dropout(dropout_rate)
        self.layers = torch.nn.ModuleList(
            CausalLayer(hidden_size, num_heads, feedforward_size or 4 * hidden_size, dropout_rate)
            for _ in range(num_layers)
        )
        self.norm = torch.nn.LayerNorm(hidden_size)
        self.output = torch.nn.Linear(hidden_size, output_size)

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``AbsConnector.forward``."""
        mask = length_mask(token_lengths, token_end.size(1))
        if self.attention == "block":
            states = self._block_states(feats, token_end, token_lengths)
        else:
            # Rows after the last token read out frame 0, which is thrown away.
            states = self.transform(feats, token_end.where(mask, 0))[mask]
        embeds = unpack_segments(self.output(self.norm(states)), token_lengths)
        return ConnectorOutput(embeds, token_lengths)

    def _block_states(self, feats, token_end, token_lengths):
        """State ``(S, d)`` at each segment's last frame, one segment a row of the Transformer."""
        first, lengths = pack_segments(feats, token_end, token_lengths)
        frames = feats.flatten(0, 1)
        buckets = bucket_by_length(lengths)
        states = []
        for rows in buckets:
            last = lengths[rows, None] - 1
            # Short rows end with copies of their last frame, which nothing that is read sees.
            offset = torch.minimum(torch.arange(int(last.max()) + 1, device=feats.device), last)
            states.append(self.transform(frames[first[rows, None] + offset], last).squeeze(1))
        return torch.cat(states)[torch.cat(buckets).argsort()]

    def transform(self, frames: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Causal Transformer over each row ``(R, L, D)``, read out at ``positions`` ``(R, Q)``.

        Returns ``(R, Q, d)``. Padding comes after the frames that are read out and attention
        looks back only, so no mask is needed beside the causal one.
        """
        x = self.input(frames)
        _, length, size = x.shape
        x = self.dropout(x + POSITION_SCALE * sinusoids(length, size, x.device, x.dtype))
        for layer in self.layers[:-1]:
            x = layer(x)
        return self.layers[-1](x, positions)


class CausalLayer(torch.nn.Module):
    """Pre-norm Transformer layer with causal self-attention."""

    def __init__(self, size: int, num_heads: int, feedforward_size: int, dropout_rate: float):
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = torch.nn.LayerNorm(size)
        self.query = torch.nn.Linear(size, size)
        self.key_value = torch.nn.Linear(size, 2 * size)
        self.attention_output = torch.nn.Linear(size, size)
        self.feedforward = torch.nn.Sequential(
            torch.nn.LayerNorm(size),
            torch.nn.Linear(size, feedforward_size),
            torch.nn.GELU(),
            torch.nn.Dropout(dropout_rate),
            torch.nn.Linear(feedforward_size, size),
        )
        self.dropout = torch.nn.Dropout(dropout_rate)
        # Attention starts as the mean of what a frame sees: the right first guess for a segment.
        torch.nn.init.zeros_(self.query.weight)

    def forward(self, x: torch.Tensor, positions: torch.Tensor | None = None) -> torch.Tensor:
        """``(R, L, d)`` -> ``(R, L, d)``, or ``(R, Q, d)`` at ``positions`` ``(R, Q)`` only.

        The last layer of a connector is read out at a few positions: the rest of its output
        would be computed for nothing.
        """
        normed = self.attention_norm(x)
        key, value = self._heads(self.key_value(normed)).chunk(2, dim=-1)
        mask = None
        if positions is not None:
            index = positions[..., None].expand(-1, -1, x.size(-1))
            x, normed = x.gather(1, index), normed.gather(1, index)
            frame = torch.arange(key.size(2), device=x.device)
            mask = (frame <= positions[..., None])[:, None]
        query = self._heads(self.query(normed))
        attended = scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None
        )
        x = x + self.dropout(self.attention_output(attended.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feedforward(x))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """``(R, L, n * d)`` -> ``(R, heads, L, n * d / heads)``."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
