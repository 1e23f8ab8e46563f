"""The SSR connector (arXiv 2410.00168, section 3; its cousin STAR, github steventan0110/STAR).

A linear layer, a causal Transformer, one state or a sum of states of each segment, a linear layer
to the LLM's width. With ``attention: causal`` a frame sees all frames before it; with ``attention:
block`` those before it in its own segment (the paper's blockwise mask) and, with ``context: k``, in
the ``k`` segments before.

Differences from the paper: pre-norm layers, layer norm on the input, sinusoidal positions that
count from the segment's start in block attention; contexts, poolings, merged frames, and layers in
which the segments of an utterance see each other.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from espnet_ssr.connector.abs import StateConnector, States
from espnet_ssr.connector.pooling import POOLINGS
from espnet_ssr.connector.segments import Rows, pack_segments, unpack_segments
from espnet_ssr.connector.transformer import (
    PackedAttention,
    TransformerLayer,
    attend_all,
    position_table,
)
from espnet_ssr.tensors import length_mask


class SSRConnector(StateConnector):
    """Alignment-aware compressor: one vector a segment.

    Args:
        input_size: width ``D`` of a frame.
        output_size: width ``H`` of the LLM's embeddings.
        attention: ``block`` or ``causal``, see above.
        context: segments before its own that a frame sees too, in every layer; block only.
        merge: frames of a segment side by side that the Transformer reads as one, the last repeated
            where they do not come out even; block only. 2 halves the Transformer's cost.
        pooling: what is taken of a segment: the state at its ``last`` frame (the paper), the
            ``mean`` of its states, their mean weighted by a learned score (``attention``), or what
            a learned query finds in them (``cross``, cross-attention with ``num_heads`` heads).
        positions: count from the start of the ``segment`` or of the ``utterance``; None means
            segment for block, utterance for causal attention.
        hidden_size: width of the Transformer (the paper: the LLM's).
        num_layers: Transformer layers.
        num_heads: attention heads.
        feedforward_size: width inside the feed-forward layers.
        dropout_rate: on the input of the Transformer and on each residual branch.
        segment_layers: Transformer layers after the pooling, in which all segments of an utterance
            see each other: cheap, as there are few, but then vectors know what comes later.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        attention: str = "block",
        context: int = 0,
        merge: int = 1,
        pooling: str = "last",
        positions: str | None = None,
        hidden_size: int = 512,
        num_layers: int = 2,
        num_heads: int = 8,
        feedforward_size: int = 1024,
        dropout_rate: float = 0.3,
        segment_layers: int = 0,
    ):
        super().__init__()
        self.attention = attention
        self.context = context
        self.merge = merge
        self.positions = positions or ("segment" if attention == "block" else "utterance")
        self._check_options(pooling, segment_layers)
        self.input = torch.nn.Sequential(
            torch.nn.LayerNorm(input_size), torch.nn.Linear(merge * input_size, hidden_size)
        )
        self.dropout = torch.nn.Dropout(dropout_rate)
        self.layers = torch.nn.ModuleList(
            TransformerLayer(hidden_size, num_heads, feedforward_size, dropout_rate)
            for _ in range(num_layers)
        )
        self.norm = torch.nn.LayerNorm(hidden_size)
        self.pooling = None if pooling == "last" else POOLINGS[pooling](hidden_size, num_heads)
        self.output = torch.nn.Linear(hidden_size, output_size)
        self.segment_layers = torch.nn.ModuleList(
            TransformerLayer(hidden_size, num_heads, feedforward_size, dropout_rate)
            for _ in range(segment_layers)
        )
        self.segment_norm = torch.nn.LayerNorm(hidden_size) if segment_layers else None

    def _check_options(self, pooling: str, segment_layers: int) -> None:
        for name, value, known in (
            ("attention", self.attention, ("block", "causal")),
            ("positions", self.positions, ("segment", "utterance")),
            ("pooling", pooling, ("last", *POOLINGS)),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
        if self.context < 0 or (self.context and self.attention == "causal"):
            raise ValueError(
                f"context {self.context}: it counts segments, and causal attention sees them all"
            )
        if self.merge < 1 or (self.merge > 1 and self.attention == "causal"):
            raise ValueError(f"merge {self.merge}: 1 or more, and with attention: block only")
        if segment_layers < 0:
            raise ValueError(f"segment_layers {segment_layers}: 0 or more")

    def compress(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``StateConnector.compress``."""
        source = pack_segments(token_end, token_lengths, feats.size(1))
        if self.attention == "block":
            packed = _pack_blocks(source, token_lengths, self.context, self.merge)
        else:
            packed = _pack_utterances(source, token_lengths, feats.size(1))
        x = self._embed(feats, packed)
        attend = PackedAttention(packed.seen, packed.rows)
        for layer in self.layers[:-1]:
            x = layer(x, attend)
        if self.pooling is None:
            last = packed.segments.last
            attend = PackedAttention(packed.seen, packed.ends, last)
            states = self.norm(self.layers[-1](x, attend, last))
        else:
            states = self.pooling(self.norm(self.layers[-1](x, attend)), packed.segments)
        if self.segment_layers:
            states = self._relate(states, token_lengths)
        return States(states, token_lengths)

    def _relate(self, states: torch.Tensor, token_lengths: torch.Tensor) -> torch.Tensor:
        """States of segments ``(S, d)`` that have seen the others of their utterance."""
        x = unpack_segments(states, token_lengths)
        x = x + position_table(x.size(1), x)
        attend = attend_all(token_lengths, x.size(1))
        for layer in self.segment_layers:
            x = layer(x, attend)
        return self.segment_norm(x[length_mask(token_lengths, x.size(1))])

    def _embed(self, feats: torch.Tensor, packed: _Packed) -> torch.Tensor:
        """What the Transformer reads ``(P, d)``: frames, projected, and their positions."""
        norm, linear = self.input
        x = feats.flatten(0, 1).index_select(0, packed.frames.flatten())
        x = linear(norm(x).unflatten(0, packed.frames.shape).flatten(1))
        if self.positions == "utterance":
            position = packed.frames[:, 0] % feats.size(1)
        else:
            place = torch.arange(len(x), device=x.device)
            first, last = packed.segments.first, packed.segments.last
            position = place - first[torch.bucketize(place, last)]
        # Padded by a zero, as nothing has no largest.
        size = int(torch.nn.functional.pad(position, (0, 1)).max()) + 1
        return self.dropout(x + position_table(size, x).index_select(0, position))


class _Packed(NamedTuple):
    """The frames of a batch that are used, without padding, and how they belong together."""

    frames: torch.Tensor
    """``(P, n)`` places in the batch's frames ``(B * T,)`` of those that are read as one."""
    segments: Rows
    """``(S,)`` of the ``P`` those of each segment."""
    seen: Rows
    """``(R,)`` rows that attention stays in: of segments with their context, or of utterances."""
    rows: Rows | None
    """``(R,)`` frames that attend to each of these rows; None: the row itself."""
    ends: Rows
    """``(R,)`` which of the ``S`` segments end in each of these rows."""


def _pack_blocks(source: Rows, token_lengths: torch.Tensor, context: int, merge: int) -> _Packed:
    """Segments one behind the other; ``source``: where they lie in the batch's frames."""
    segments = Rows.packed((source.lengths + merge - 1) // merge)
    ends = Rows.packed(torch.ones_like(source.lengths))
    place, row = segments.members()
    offset = merge * (place - segments.first[row])[:, None]
    offset = offset + torch.arange(merge, device=offset.device)
    # Beyond the end of a segment its last frame is repeated.
    offset = torch.minimum(offset, source.lengths[row][:, None] - 1)
    frames = source.first[row][:, None] + offset
    if not context:
        return _Packed(frames, segments, segments, None, ends)
    utterance = torch.repeat_interleave(token_lengths)
    earliest = torch.maximum(ends.first - context, Rows.packed(token_lengths).first[utterance])
    first = segments.first[earliest]
    seen = Rows(first, segments.last - first + 1)
    return _Packed(frames, segments, seen, segments, ends)


def _pack_utterances(source: Rows, token_lengths: torch.Tensor, num_frames: int) -> _Packed:
    """Utterances up to the end of their last segment, one behind the other."""
    begin = num_frames * torch.arange(len(token_lengths), device=token_lengths.device)
    utterance = torch.repeat_interleave(token_lengths)
    # Where there is no segment, the end stays at the begin: a row of no frames.
    end = begin.scatter_reduce(0, utterance, source.last + 1, "amax")
    whole = Rows(begin, end - begin)
    packed = Rows.packed(whole.lengths)
    segments = Rows(source.first + (packed.first - begin)[utterance], source.lengths)
    frames = whole.members()[0][:, None]
    return _Packed(frames, segments, packed, None, Rows.packed(token_lengths))
