"""The window-level Q-Former against plain loops over windows, queries, heads and frames."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ssr.connector.qformer import QFormerConnector

WIDTH, OUTPUT, HIDDEN, HEADS = 3, 4, 6, 2


def make_connector(window=4, queries=1, num_layers=2, seed=0):
    """A connector in double precision whose queries are not all alike, as untrained they are."""
    torch.manual_seed(seed)
    connector = QFormerConnector(WIDTH, OUTPUT, window, queries, HIDDEN, num_layers, HEADS, 8)
    torch.nn.init.normal_(connector.queries)
    torch.nn.init.normal_(connector.positions)
    return connector.double().eval()


def plain_vectors(connector, feats, window):
    """Vectors of one utterance ``(T, D)`` without padding."""
    vectors = []
    for first in range(0, len(feats), window):
        frames = feats[first : first + window]
        frames = [connector.norm(x) + connector.positions[i] for i, x in enumerate(frames)]
        queries = list(connector.queries)
        for layer in connector.layers:
            queries = plain_layer(layer, queries, frames)
        vectors += [connector.output(connector.output_norm(x)) for x in queries]
    return vectors


def plain_layer(layer, queries, frames):
    if len(queries) > 1:
        normed = [layer.query_norm(x) for x in queries]
        heard = plain_attention(layer.self_attention, normed, normed)
        queries = [x + y for x, y in zip(queries, heard, strict=True)]
    heard = plain_attention(layer.cross_attention, [layer.cross_norm(x) for x in queries], frames)
    queries = [x + y for x, y in zip(queries, heard, strict=True)]
    return [x + layer.feedforward(x) for x in queries]


def plain_attention(attention, rows, memory):
    size = HIDDEN // HEADS
    pairs = [attention.key_value(m) for m in memory]
    outputs = []
    for row in rows:
        heads = []
        for h in range(HEADS):
            part = slice(h * size, (h + 1) * size)
            query = attention.query(row)[part]
            weights = [math.exp(float(query @ p[:HIDDEN][part]) / math.sqrt(size)) for p in pairs]
            values = [w * p[HIDDEN:][part] for w, p in zip(weights, pairs, strict=True)]
            heads.append(sum(values) / sum(weights))
        outputs.append(attention.output(torch.cat(heads)))
    return outputs


@settings(max_examples=20)
@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=3).filter(any),
    window=st.integers(1, 5),
    queries=st.integers(1, 3),
    num_layers=st.integers(1, 2),
    spare=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_equals_plain_loops(sizes, window, queries, num_layers, spare, seed):
    connector = make_connector(window, queries, num_layers, seed)
    feats = torch.full((len(sizes), max(sizes) + spare, WIDTH), torch.nan, dtype=torch.float64)
    for row, size in zip(feats, sizes, strict=True):
        row[:size] = torch.randn(size, WIDTH)
    output = connector(feats, torch.tensor(sizes))
    assert output.lengths.tolist() == [queries * -(-size // window) for size in sizes]
    for b, size in enumerate(sizes):
        with torch.no_grad():
            plain = plain_vectors(connector, feats[b, :size], window)
        for found, expected in zip(output.embeds[b], plain, strict=False):
            torch.testing.assert_close(found, expected)
        assert (output.embeds[b, len(plain) :] == 0).all()
    output.embeds.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in connector.parameters())


@pytest.mark.parametrize("queries", [1, 2])
def test_a_window_is_heard_by_its_queries_alone(queries):
    connector = make_connector(4, queries)
    feats = torch.randn(2, 11, WIDTH, dtype=torch.float64)
    lengths = torch.tensor([11, 11])
    before = connector(feats, lengths).embeds
    feats[0, 5] = torch.nan
    after = connector(feats, lengths).embeds
    changed = [b == 0 and window == 1 for b in range(2) for window in range(3)]
    found = after.isnan().any(-1).reshape(6, queries)
    assert found.tolist() == [[c] * queries for c in changed]
    kept = ~after.isnan()
    torch.testing.assert_close(after[kept], before[kept])


def test_order_inside_a_window_counts():
    connector = make_connector(4)
    feats = torch.randn(1, 4, WIDTH, dtype=torch.float64)
    swapped = feats[:, [1, 0, 2, 3]]
    vectors = [connector(x, torch.tensor([4])).embeds for x in (feats, swapped)]
    assert not torch.allclose(*vectors, atol=1e-6)
