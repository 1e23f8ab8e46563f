"""The SSR connector against plain masked T x T attention, and what a vector may depend on."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ssr.connector.ssr import SSRConnector

WIDTH, HIDDEN, HEADS, OUTPUT = 5, 8, 2, 6
TOKEN_END = torch.tensor([3, 4, 11, 30])
NUM_FRAMES = 33


def make_connector(attention, num_layers=2, seed=0):
    """A connector in double precision whose attention is not flat, as untrained it would be."""
    torch.manual_seed(seed)
    connector = SSRConnector(WIDTH, OUTPUT, attention, HIDDEN, num_layers, HEADS, 12)
    for layer in connector.layers:
        torch.nn.init.normal_(layer.query.weight)
    return connector.double().eval()


def connect_one(connector, feats, token_end):
    sizes = torch.tensor([len(feats)]), torch.tensor([len(token_end)])
    return connector(feats[None], sizes[0], token_end[None], sizes[1]).embeds[0]


def plain_vectors(connector, feats, token_end):
    """Vectors (M, H) of one utterance, with every score computed and what is not seen masked."""
    ends, sees_all = token_end.tolist(), connector.attention == "causal"
    segment = [sum(t > end for end in ends) for t in range(len(feats))]
    begin = [0 if sees_all or j == 0 else ends[j - 1] + 1 for j in segment]
    seen = [[begin[t] <= s <= t for s in range(len(feats))] for t in range(len(feats))]
    x = connector.input(feats) + 0.1 * torch.stack(
        [plain_position(t - b) for t, b in enumerate(begin)]
    )
    for layer in connector.layers:
        x = plain_layer(layer, x, torch.tensor(seen))
    return connector.output(connector.norm(x[token_end]))


def plain_position(t):
    angles = [t / 10000 ** (2 * i / HIDDEN) for i in range(HIDDEN // 2)]
    values = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
    return torch.tensor(values, dtype=torch.float64)


def plain_layer(layer, x, seen):
    normed = layer.attention_norm(x)
    query, pairs = layer.query(normed), layer.key_value(normed)
    size = HIDDEN // HEADS
    heads = []
    for h in range(HEADS):
        key, value = pairs[:, 2 * size * h :][:, :size], pairs[:, 2 * size * h + size :][:, :size]
        scores = query[:, size * h : size * (h + 1)] @ key.T / math.sqrt(size)
        heads.append(scores.masked_fill(~seen, -math.inf).softmax(-1) @ value)
    x = x + layer.attention_output(torch.cat(heads, dim=-1))
    return x + layer.feedforward(x)


@st.composite
def batches(draw):
    """Segment sizes of each utterance, and frames after the last segment."""
    sizes = st.lists(st.integers(1, 8), min_size=1, max_size=4)
    return draw(st.lists(st.tuples(sizes, st.integers(0, 4)), min_size=1, max_size=3))


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("attention", ["block", "causal"])
@settings(max_examples=12)
@given(batch=batches(), seed=st.integers(0, 99))
def test_equals_masked_attention(attention, num_layers, batch, seed):
    connector = make_connector(attention, num_layers, seed)
    ends = [torch.tensor(sizes).cumsum(0) - 1 for sizes, _ in batch]
    frames = [int(e[-1]) + 1 + spare for e, (_, spare) in zip(ends, batch, strict=True)]
    feats = torch.randn(len(batch), max(frames), WIDTH, dtype=torch.float64, requires_grad=True)
    token_lengths = torch.tensor([len(e) for e in ends])
    token_end = torch.nn.utils.rnn.pad_sequence(ends, batch_first=True)
    found = connector(feats, torch.tensor(frames), token_end, token_lengths).embeds
    plain = [plain_vectors(connector, feats[b, :n], ends[b]) for b, n in enumerate(frames)]
    expected = torch.nn.utils.rnn.pad_sequence(plain, batch_first=True)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    # Gradients of a random combination of the outputs, so that none cancel.
    direction = torch.randn_like(expected)
    wanted = [feats, *connector.parameters()]
    gradients = [torch.autograd.grad((y * direction).sum(), wanted) for y in (found, expected)]
    for mine, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("segment", range(len(TOKEN_END)))
@pytest.mark.parametrize("attention", ["block", "causal"])
def test_what_a_vector_depends_on(attention, segment):
    connector = make_connector(attention)
    feats = torch.randn(NUM_FRAMES, WIDTH, dtype=torch.float64)
    before = connect_one(connector, feats, TOKEN_END)
    start = int(TOKEN_END[segment - 1]) + 1 if segment else 0
    feats[start : int(TOKEN_END[segment]) + 1] += 1 + torch.rand(1, WIDTH)
    changed = (connect_one(connector, feats, TOKEN_END) - before).abs().amax(1) > 1e-9
    later = attention == "causal"
    expected = [j == segment or (later and j > segment) for j in range(len(TOKEN_END))]
    assert changed.tolist() == expected


@pytest.mark.parametrize("attention", ["block", "causal"])
def test_every_frame_of_a_segment_counts(attention):
    connector = make_connector(attention)
    feats = torch.randn(NUM_FRAMES, WIDTH, dtype=torch.float64, requires_grad=True)
    last = int(TOKEN_END[-1])
    connect_one(connector, feats, TOKEN_END)[-1].square().sum().backward()
    heard = feats.grad.abs().sum(1) > 0
    first = 0 if attention == "causal" else int(TOKEN_END[-2]) + 1
    assert heard.tolist() == [first <= t <= last for t in range(NUM_FRAMES)]


def test_blocks_do_not_know_where_they_are():
    connector = make_connector("block")
    feats = torch.randn(8, WIDTH, dtype=torch.float64)
    twice = connect_one(connector, torch.cat([feats, feats]), torch.tensor([7, 15]))
    torch.testing.assert_close(twice[0], twice[1])


def test_order_of_frames_counts():
    connector = make_connector("block", num_layers=1)
    feats = torch.randn(4, WIDTH, dtype=torch.float64)
    end = torch.tensor([3])
    swapped = connect_one(connector, feats[[1, 0, 2, 3]], end)
    assert not torch.allclose(connect_one(connector, feats, end), swapped, atol=1e-6)


def test_unknown_attention_is_refused():
    with pytest.raises(ValueError, match="'block' or 'causal', not 'full'"):
        SSRConnector(WIDTH, OUTPUT, attention="full")
