"""The Transformer layer and what its states attend to; packed rows also in test_ssr.py."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ssr.connector.segments import Rows
from espnet_ssr.connector.transformer import (
    PackedAttention,
    TransformerLayer,
    attend_all,
    attend_rows,
)

SIZE, HEADS = 8, 2


def make_layer():
    torch.manual_seed(0)
    layer = TransformerLayer(SIZE, HEADS, 12, 0.1).eval()
    torch.nn.init.normal_(layer.query.weight)
    return layer


def causal(query, key_value):
    """Of one row of packed states."""
    return attend_rows(query[None], key_value[None], None)[0]


def test_attention_starts_as_the_mean_of_what_is_seen():
    torch.manual_seed(0)
    layer = TransformerLayer(SIZE, HEADS, 12, 0.0)
    torch.nn.init.zeros_(layer.query.bias)
    normed = torch.randn(4, SIZE)
    key_value = layer._heads(layer.key_value(normed))
    found = causal(layer._heads(layer.query(normed)), key_value)
    means = key_value.chunk(2, dim=-1)[1].cumsum(0) / torch.arange(1, 5)[:, None, None]
    torch.testing.assert_close(found, means)


def test_padding_is_not_seen():
    layer, lengths = make_layer(), torch.tensor([5, 2, 0])
    x = torch.randn(3, 5, SIZE)
    found = layer(x, attend_all(lengths, 5))
    assert found.isfinite().all()
    alone = layer(x[1:2, :2], attend_all(lengths[1:2], 2))
    torch.testing.assert_close(found[1:2, :2], alone)


rows = st.lists(st.integers(0, 20), max_size=6)


@given(lengths=rows)
def test_packed_rows_are_rows_by_themselves(lengths):
    layer = make_layer()
    x = torch.randn(sum(lengths), SIZE)
    found = layer(x, PackedAttention(Rows.packed(torch.tensor(lengths, dtype=torch.long))))
    expected = [layer(part, causal) for part in x.split(lengths) if len(part)]
    torch.testing.assert_close(found, torch.cat([x[:0], *expected]), rtol=1e-5, atol=1e-5)


@settings(max_examples=30)
@given(lengths=rows.filter(any), data=st.data())
def test_reading_out_gives_the_states_of_the_whole(lengths, data):
    layer, keys = make_layer(), Rows.packed(torch.tensor(lengths))
    x = torch.randn(sum(lengths), SIZE)
    places = []
    for first, length in zip(*map(torch.Tensor.tolist, keys), strict=True):
        place = st.integers(first, first + length - 1)
        places.append(data.draw(st.lists(place, min_size=1, max_size=3)) if length else [])
    queries = Rows.packed(torch.tensor(list(map(len, places))))
    read = torch.tensor([p for row in places for p in row], dtype=torch.long)
    found = layer(x, PackedAttention(keys, queries, read), read)
    expected = layer(x, PackedAttention(keys))[read]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
