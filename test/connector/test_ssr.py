"""The SSR connector against plain masked T x T attention, and what a vector may depend on."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ssr.connector.pooling import AttentionPooling, MeanPooling
from espnet_ssr.connector.ssr import SSRConnector

WIDTH, HIDDEN, HEADS, OUTPUT = 5, 8, 2, 6
TOKEN_END = torch.tensor([3, 4, 11, 30])
NUM_FRAMES = 33


def make_connector(attention="block", num_layers=2, seed=0, **options):
    """A connector in double precision whose attention is not flat, as untrained it would be."""
    torch.manual_seed(seed)
    connector = SSRConnector(
        WIDTH,
        OUTPUT,
        attention,
        hidden_size=HIDDEN,
        num_layers=num_layers,
        num_heads=HEADS,
        feedforward_size=12,
        **options,
    )
    for parameter in connector.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter)
    return connector.double().eval()


def connect_one(connector, feats, token_end):
    sizes = torch.tensor([len(feats)]), torch.tensor([len(token_end)])
    return connector(feats[None], sizes[0], token_end[None], sizes[1]).embeds[0]


def plain_vectors(connector, feats, token_end):
    """Vectors (M, H) of one utterance, with every score computed and what is not seen masked."""
    ends = token_end.tolist()
    starts = [min(a + 1, b) for a, b in zip([-1, *ends], ends, strict=False)]
    if connector.attention == "causal":
        # One list of frames; an empty segment reads the frame at its end.
        heard = [(t, min(j for j, end in enumerate(ends) if t <= end)) for t in range(ends[-1] + 1)]
        members = [list(range(a, b + 1)) for a, b in zip(starts, ends, strict=True)]
    else:
        spans = enumerate(zip(starts, ends, strict=True))
        heard = [(t, j) for j, (a, b) in spans for t in range(a, b + 1, connector.merge)]
        members = [[i for i, (_, j) in enumerate(heard) if j == k] for k in range(len(ends))]
    merged = [
        torch.cat([connector.input[0](feats[min(t + n, ends[j])]) for n in range(connector.merge)])
        if connector.attention == "block"
        else connector.input[0](feats[t])
        for t, j in heard
    ]
    x = connector.input[1](torch.stack(merged)) + 0.1 * torch.stack(
        [plain_position(t if connector.positions == "utterance"
                        else (t - starts[j]) // connector.merge)
         for t, j in heard]
    )  # fmt: skip
    reach = len(ends) if connector.attention == "causal" else connector.context
    seen = [[k <= i and heard[i][1] - heard[k][1] <= reach for k in range(len(heard))]
            for i in range(len(heard))]  # fmt: skip
    for layer in connector.layers:
        x = plain_layer(layer, x, torch.tensor(seen))
    states = connector.norm(x)
    pooled = [plain_pooling(connector.pooling, states[index]) for index in members]
    states = torch.stack(pooled)
    if connector.segment_layers:
        x = states + 0.1 * torch.stack([plain_position(j) for j in range(len(states))])
        for layer in connector.segment_layers:
            x = plain_layer(layer, x, torch.ones(len(x), len(x), dtype=torch.bool))
        states = connector.segment_norm(x)
    return connector.output(states)


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


def plain_pooling(pooling, states):
    """One vector (d,) of the states (L, d) of a segment."""
    if pooling is None:
        return states[-1]
    if isinstance(pooling, MeanPooling):
        return states.mean(0)
    if isinstance(pooling, AttentionPooling):
        return pooling.score(states)[:, 0].softmax(0) @ states
    pairs, size = pooling.key_value(states), HIDDEN // HEADS
    heads = []
    for h in range(HEADS):
        key, value = pairs[:, 2 * size * h :][:, :size], pairs[:, 2 * size * h + size :][:, :size]
        heads.append((key @ pooling.query[h] / math.sqrt(size)).softmax(0) @ value)
    return pooling.output(torch.cat(heads))


@st.composite
def batches(draw):
    """Segment sizes of each utterance, none too, and frames after the last segment."""
    sizes = st.lists(st.integers(0, 6), max_size=3).map(lambda rest: [1 + sum(rest) % 5, *rest])
    rows = st.tuples(st.one_of(st.just([]), sizes, sizes), st.integers(0, 4))
    return draw(st.lists(rows, min_size=1, max_size=3))


VARIANTS = [
    {"attention": attention, "context": context, "pooling": pooling, "positions": positions}
    for attention, context in (("block", 0), ("block", 1), ("block", 2), ("causal", 0))
    for pooling in ("last", "mean", "attention", "cross")
    for positions in ("segment", "utterance")
]
VARIANTS += [{"merge": 2, "pooling": "mean"}, {"merge": 3, "context": 1}]
VARIANTS += [{"segment_layers": 2}]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))
@settings(max_examples=6)
@given(batch=batches(), num_layers=st.sampled_from([1, 3]), seed=st.integers(0, 99))
def test_equals_masked_attention(variant, num_layers, batch, seed):
    connector = make_connector(num_layers=num_layers, seed=seed, **variant)
    ends = [torch.tensor(sizes, dtype=torch.long).cumsum(0) - 1 for sizes, _ in batch]
    frames = [sum(sizes) + spare for sizes, spare in batch]
    feats = torch.randn(len(batch), max(frames) + 1, WIDTH, dtype=torch.float64, requires_grad=True)
    token_lengths = torch.tensor([len(e) for e in ends])
    token_end = torch.nn.utils.rnn.pad_sequence(ends, batch_first=True)
    found = connector(feats, torch.tensor(frames), token_end, token_lengths).embeds
    plain = [plain_vectors(connector, feats[b], end) if len(end) else feats.new_zeros(0, OUTPUT)
             for b, end in enumerate(ends)]  # fmt: skip
    expected = torch.nn.utils.rnn.pad_sequence(plain, batch_first=True)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    if not expected.requires_grad:  # no segment at all
        return
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


def test_context_reaches_back_by_its_segments_in_every_layer():
    connector = make_connector(context=1, num_layers=2, pooling="mean")
    feats = torch.randn(NUM_FRAMES, WIDTH, dtype=torch.float64, requires_grad=True)
    connect_one(connector, feats, TOKEN_END)[-1].square().sum().backward()
    heard = feats.grad.abs().sum(1) > 0
    first, last = int(TOKEN_END[0]) + 1, int(TOKEN_END[-1])
    assert heard.tolist() == [first <= t <= last for t in range(NUM_FRAMES)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": "full"}, "attention must be one of block, causal, not 'full'"),
        ({"pooling": "max"}, "pooling must be one of last, mean, attention, cross, not 'max'"),
        ({"positions": "none"}, "positions must be one of segment, utterance, not 'none'"),
        ({"attention": "causal", "context": 1}, "context 1: it counts segments, and causal"),
        ({"context": -1}, "context -1"),
        ({"merge": 0}, "merge 0: 1 or more"),
        ({"segment_layers": -1}, "segment_layers -1: 0 or more"),
        ({"attention": "causal", "merge": 2}, "merge 2: .* with attention: block only"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SSRConnector(WIDTH, OUTPUT, **options)
