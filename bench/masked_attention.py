"""The plain way to compute block attention: all T x T scores, all but a segment's own masked.

Same weights, same numbers as ``SSRConnector(attention="block")``, which packs segments instead; its
peer in ``bench/connector.py``.
"""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention

from espnet_ssr.connector.segments import segment_starts
from espnet_ssr.connector.ssr import POSITION_SCALE, CausalLayer, SSRConnector
from espnet_ssr.tensors import sinusoids


def masked_block_vectors(
    connector: SSRConnector, feats: torch.Tensor, token_end: torch.Tensor
) -> torch.Tensor:
    """Vectors ``(M, H)`` of one utterance: features ``(T, D)``, last frames ``(M,)``."""
    feats = feats[: int(token_end[-1]) + 1]
    segment = torch.bucketize(torch.arange(len(feats)), token_end)
    position = torch.arange(len(feats)) - segment_starts(token_end[None])[0][segment]
    mask = (segment[:, None] == segment) & (position[:, None] >= position)
    x = connector.input(feats)
    x = x + POSITION_SCALE * sinusoids(int(position.max()) + 1, x.size(1))[position]
    x = connector.dropout(x)[None]
    for layer in connector.layers:
        x = masked_layer(layer, x, mask)
    return connector.output(connector.norm(x[0, token_end]))


def masked_layer(layer: CausalLayer, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """``layer`` with an explicit mask ``(T, T)`` instead of its causal one; ``x``: (1, T, d)."""
    normed = layer.attention_norm(x)
    query = layer._heads(layer.query(normed))
    key, value = layer._heads(layer.key_value(normed)).chunk(2, dim=-1)
    attended = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    x = x + layer.dropout(layer.attention_output(attended.transpose(1, 2).flatten(2)))
    return x + layer.dropout(layer.feedforward(x))
