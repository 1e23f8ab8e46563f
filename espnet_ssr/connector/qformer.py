"""Window-level Q-Former (SALMONN, arXiv 2310.13289; the Q-Former: arXiv 2301.12597).

A window is a fixed number of frames. Learned queries, the same for every window, look at the frames
of one window through some Transformer layers; each query gives a vector.

Differences from the original: smaller, pre-norm, no dropout on attention (with it there is no fused
attention), cross-attention in every layer (the Q-Former: in every other), learned positions inside
the window, weights not taken from BERT, and the last, incomplete window counts. One query has no
one to attend to, so that its self-attention is left out.
"""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention

from espnet_ssr.connector.abs import StateConnector, States
from espnet_ssr.connector.segments import pack_groups
from espnet_ssr.connector.transformer import feedforward

INITIAL_DEVIATION = 0.02  # of queries and positions, as in the Q-Former


class QFormerConnector(StateConnector):
    """``queries`` vectors for every window: ``queries * ceil(T / window)`` an utterance.

    Args:
        input_size: width ``D`` of a frame.
        output_size: width ``H`` of the LLM's embeddings.
        window: frames of a window; 17 of 50 a second are 0.34 s (the paper: 0.33 s).
        queries: vectors that a window gives.
        hidden_size: width of the queries (the paper: 768).
        num_layers: layers (the paper: 2).
        num_heads: attention heads.
        feedforward_size: width inside the feed-forward layers.
        dropout_rate: on each residual branch.
    """

    needs_segmentation = False
    token_aligned = False

    def __init__(
        self,
        input_size: int,
        output_size: int,
        window: int = 17,
        queries: int = 1,
        hidden_size: int = 384,
        num_layers: int = 2,
        num_heads: int = 6,
        feedforward_size: int = 2048,
        dropout_rate: float = 0.2,
    ):
        super().__init__()
        self.norm = torch.nn.LayerNorm(input_size)
        self.positions = torch.nn.Parameter(INITIAL_DEVIATION * torch.randn(window, input_size))
        self.queries = torch.nn.Parameter(INITIAL_DEVIATION * torch.randn(queries, hidden_size))
        self.layers = torch.nn.ModuleList(
            QueryLayer(
                hidden_size, input_size, num_heads, feedforward_size, dropout_rate, queries > 1
            )
            for _ in range(num_layers)
        )
        self.output_norm = torch.nn.LayerNorm(hidden_size)
        self.output = torch.nn.Linear(hidden_size, output_size)

    def compress(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``StateConnector.compress``; ``token_end`` and ``token_lengths`` are not used."""
        windows, mask, lengths = pack_groups(feats, feats_lengths, len(self.positions))
        windows = self.norm(windows) + self.positions
        x = self.queries.expand(len(windows), -1, -1)
        for layer in self.layers:
            x = layer(x, windows, mask)
        return States(self.output_norm(x).flatten(0, 1), lengths * len(self.queries))


class QueryLayer(torch.nn.Module):
    """Self-attention among the queries, cross-attention to the frames, feed-forward; pre-norm."""

    def __init__(
        self,
        size: int,
        frame_size: int,
        num_heads: int,
        feedforward_size: int,
        dropout_rate: float,
        self_attention: bool,
    ):
        super().__init__()
        self.query_norm = torch.nn.LayerNorm(size) if self_attention else None
        self.self_attention = Attention(size, size, num_heads) if self_attention else None
        self.cross_norm = torch.nn.LayerNorm(size)
        self.cross_attention = Attention(size, frame_size, num_heads)
        self.feedforward = feedforward(size, feedforward_size, dropout_rate)
        self.dropout = torch.nn.Dropout(dropout_rate)

    def forward(self, x: torch.Tensor, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Queries ``(S, Q, d)``, frames ``(S, L, D)`` that there are where ``mask`` ``(S, L)``."""
        if self.self_attention is not None:
            normed = self.query_norm(x)
            x = x + self.dropout(self.self_attention(normed, normed))
        x = x + self.dropout(self.cross_attention(self.cross_norm(x), frames, mask[:, None, None]))
        return x + self.dropout(self.feedforward(x))


class Attention(torch.nn.Module):
    """Multi-head attention of rows of width ``size`` to rows of width ``memory_size``."""

    def __init__(self, size: int, memory_size: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.query = torch.nn.Linear(size, size)
        self.key_value = torch.nn.Linear(memory_size, 2 * size)
        self.output = torch.nn.Linear(size, size)

    def forward(
        self, x: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """``(S, Q, d)`` to ``(S, L, D)`` -> ``(S, Q, d)``; ``mask`` ``(S, 1, 1, L)``."""
        query = self._heads(self.query(x))
        key, value = (self._heads(part) for part in self.key_value(memory).chunk(2, dim=-1))
        attended = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.output(attended.transpose(1, 2).flatten(2))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """``(S, L, d)`` -> ``(S, heads, L, d / heads)``."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
