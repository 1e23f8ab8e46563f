"""The Transformer layer of the connectors; what its states may attend to is the caller's choice."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import scaled_dot_product_attention

from espnet_ssr.batching import bucket_by_length
from espnet_ssr.connector.segments import Rows
from espnet_ssr.tensors import length_mask, sinusoids

# At full scale the positions are larger than the projected features and drown them at first, which
# a small corpus does not forgive.
POSITION_SCALE = 0.1

Attend = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Queries ``(..., heads, size)`` and keys beside values ``(..., heads, 2 * size)`` to what each
query has found, ``(..., heads, size)``."""


class TransformerLayer(torch.nn.Module):
    """Pre-norm Transformer layer (arXiv 2002.04745).

    Args:
        size: width ``d`` of a state.
        num_heads: attention heads.
        feedforward_size: width inside the feed-forward layers.
        dropout_rate: on each residual branch and inside the feed-forward layers.
    """

    def __init__(self, size: int, num_heads: int, feedforward_size: int, dropout_rate: float):
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = torch.nn.LayerNorm(size)
        self.query = torch.nn.Linear(size, size)
        self.key_value = torch.nn.Linear(size, 2 * size)
        self.attention_output = torch.nn.Linear(size, size)
        self.feedforward = feedforward(size, feedforward_size, dropout_rate)
        self.dropout = torch.nn.Dropout(dropout_rate)
        # Attention starts as the mean of what a state sees: the right first guess for a segment.
        torch.nn.init.zeros_(self.query.weight)

    def forward(
        self, x: torch.Tensor, attend: Attend, read: torch.Tensor | None = None
    ) -> torch.Tensor:
        """States ``(..., d)`` -> ``(..., d)``, or of packed ones ``(P, d)`` some ``(Q, d)``.

        Args:
            x: the states.
            attend: what they attend to.
            read: index ``(Q,)`` of the packed states that are wanted; None: all.

        The last layer of a connector is read out at a few states: the rest of its output would
        be computed for nothing.
        """
        normed = self.attention_norm(x)
        key_value = self._heads(self.key_value(normed))
        if read is not None:
            x, normed = x.index_select(0, read), normed.index_select(0, read)
        attended = attend(self._heads(self.query(normed)), key_value).flatten(-2)
        x = x + self.dropout(self.attention_output(attended))
        return x + self.dropout(self.feedforward(x))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """``(..., n * d)`` -> ``(..., heads, n * d / heads)``."""
        return x.unflatten(-1, (self.num_heads, -1))


def feedforward(size: int, feedforward_size: int, dropout_rate: float) -> torch.nn.Sequential:
    """The feed-forward branch of a pre-norm layer."""
    return torch.nn.Sequential(
        torch.nn.LayerNorm(size),
        torch.nn.Linear(size, feedforward_size),
        torch.nn.GELU(),
        torch.nn.Dropout(dropout_rate),
        torch.nn.Linear(feedforward_size, size),
    )


def position_table(length: int, like: torch.Tensor) -> torch.Tensor:
    """What is added to the first ``length`` projected frames ``like`` ``(..., d)``:
    ``(length, d)``."""
    return POSITION_SCALE * sinusoids(length, like.size(-1), like.device, like.dtype)


def attend_rows(
    query: torch.Tensor, key_value: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Attention in each row ``(R, L, heads, size)``.

    ``mask``: True where a query sees a key, broadcasts to ``(R, heads, Q, L)``; None: a state sees
    itself and those before it.
    """
    key, value = key_value.transpose(1, 2).chunk(2, dim=-1)
    attended = scaled_dot_product_attention(
        query.transpose(1, 2), key, value, mask, is_causal=mask is None
    )
    return attended.transpose(1, 2)


def attend_all(lengths: torch.Tensor, size: int) -> Attend:
    """Attention in a padded batch ``(B, size, ...)`` to all states before ``lengths`` ``(B,)``.

    The padding must be finite: what is not seen is weighed with zero. An empty row sees its first
    state, so that it stays finite too.
    """
    mask = length_mask(lengths.clamp(min=1), size)[:, None, None]
    return lambda query, key_value: attend_rows(query, key_value, mask)


class PackedAttention:
    """Attention in rows of packed states: a query sees the keys of its row up to its own place.

    States are packed without padding; here alone they are padded, in batches of rows of like
    length, so that the cost is linear in the number of rows.

    Args:
        keys: each row's keys ``(R,)`` among the packed states ``(P, ...)``.
        queries: each row's queries ``(R,)``, at least one for a row that has keys, among all
            queries ``(Q, ...)``; None: its keys.
        places: of the queries ``(Q,)`` among the packed states; None: theirs in order.
    """

    def __init__(self, keys: Rows, queries: Rows | None = None, places: torch.Tensor | None = None):
        buckets = bucket_by_length(keys.lengths)
        key = [keys.take(rows).padded()[0] for rows in buckets]
        self._keys = _Gather(key)
        padded = [(queries or keys).take(rows).padded() for rows in buckets]
        self._queries = _Gather([index for index, _ in padded])
        self._masks = [
            None if queries is None else _seen_mask(q, k, places)
            for (q, _), k in zip(padded, key, strict=True)
        ]
        self._order = _unpadded_order(padded)

    def __call__(self, query: torch.Tensor, key_value: torch.Tensor) -> torch.Tensor:
        """``(Q, heads, size)`` and ``(P, heads, 2 * size)`` -> ``(Q, heads, size)``."""
        if not self._masks:
            return query
        rows = zip(self._queries(query), self._keys(key_value), self._masks, strict=True)
        found = torch.cat([attend_rows(*row).flatten(0, 1) for row in rows])
        return _gather(found, self._order)


class _Gather:
    """``[x[i] for i in indices]`` for indices ``(R, L)``, read at once: backwards the gradient of
    all of ``x`` is written once and not for each index."""

    def __init__(self, indices: list[torch.Tensor]):
        self._shapes = [index.shape for index in indices]
        self._index = torch.cat([index.flatten() for index in indices]) if indices else None

    def __call__(self, x: torch.Tensor) -> list[torch.Tensor]:
        parts = _gather(x, self._index).split([s.numel() for s in self._shapes])
        return [part.unflatten(0, shape) for part, shape in zip(parts, self._shapes, strict=True)]


def _gather(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """``x[index]``: an embedding is that too, and by far the fastest backwards."""
    return torch.nn.functional.embedding(index, x.flatten(1)).unflatten(1, x.shape[1:])


def _seen_mask(query: torch.Tensor, key: torch.Tensor, places: torch.Tensor | None) -> torch.Tensor:
    """``(R, 1, Q, K)`` for padded rows of queries ``(R, Q)`` and of keys ``(R, K)``."""
    place = query if places is None else places[query]
    # Padding repeats a row's last key, so a key's place is counted from the first.
    key_place = key[:, :1] + torch.arange(key.size(1), device=key.device)
    return key_place[:, None, None] <= place[:, None, :, None]


def _unpadded_order(padded: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor | None:
    """Where each query ``(Q,)`` lies among the padded rows, one after the other."""
    if not padded:
        return None
    index = torch.cat([index.flatten() for index, _ in padded])
    slot = torch.cat([valid.flatten() for _, valid in padded]).nonzero().squeeze(1)
    return torch.empty_like(slot).scatter_(0, index[slot], slot)
