"""CIF against the loop of the paper, frame by frame, and what it does at the edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ssr.connector.cif import (
    CIFConnector,
    FrameWeights,
    count_fired,
    integrate,
    quantity_loss,
    scale_to,
)
from espnet_ssr.tensors import length_mask

WIDTH, HIDDEN, OUTPUT = 5, 8, 6


def plain_fire(weights, states, count):
    """Vectors (count, d) of one utterance: accumulate, fire at 1; the last takes what is left."""
    vectors, vector, accumulated = [], 0.0, 0.0
    for weight, state in zip(weights, states, strict=True):
        while len(vectors) < count - 1 and accumulated + weight >= 1:
            part = 1 - accumulated
            vectors.append(vector + part * state)
            weight, vector, accumulated = weight - part, 0.0, 0.0
        # Only the last vector can get this far above: what is too small for one more is dropped.
        part = weight if accumulated + weight < 1 else 1 - accumulated
        vector, accumulated = vector + part * state, accumulated + part
    return torch.stack([*vectors, vector])


def draw_batch(frames, seed, dtype=torch.float64):
    """Weights, 0 after each length, and states (B, T, 3)."""
    generator = torch.Generator().manual_seed(seed)
    size = (len(frames), max(frames))
    weights = torch.rand(size, generator=generator, dtype=dtype)
    for row, length in zip(weights, frames, strict=True):
        row[length:] = 0
    states = torch.randn(*size, 3, generator=generator, dtype=dtype)
    return weights.requires_grad_(), states.requires_grad_()


def loop_vectors(weights, states, frames, counts):
    """All vectors of the batch one after the other, by the loop in double precision."""
    rows = zip(weights.double(), states.double(), frames, counts.tolist(), strict=True)
    return torch.cat([plain_fire(w[:t], s[:t], n) for w, s, t, n in rows])


def vectorised(weights, states, counts):
    found = integrate(weights, states, counts)
    return torch.cat([row[:n] for row, n in zip(found, counts.tolist(), strict=True)])


def assert_same(found, expected, weights, states, frames, tolerance=1e-9):
    """Vectors, and gradients of a random combination of them, so that none cancel."""
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    direction = torch.randn_like(expected)
    mine, plain = (
        torch.autograd.grad(
            x, [weights, states], direction, retain_graph=True, materialize_grads=True
        )
        for x in (found, expected)
    )
    # Weights of padding are constant, so that what they would change is of no interest.
    is_frame = length_mask(torch.tensor(frames), weights.size(1))
    mine, plain = ((of_weights * is_frame, of_states) for of_weights, of_states in (mine, plain))
    torch.testing.assert_close(mine, plain, rtol=tolerance, atol=tolerance)


frame_counts = st.lists(st.integers(1, 12), min_size=1, max_size=3)
token_counts = st.lists(st.integers(1, 30), min_size=3, max_size=3)


@settings(max_examples=30)
@given(frames=frame_counts, seed=st.integers(0, 999))
def test_free_firing_equals_loop(frames, seed):
    weights, states = draw_batch(frames, seed)
    counts = count_fired(weights, torch.tensor(frames))
    found = vectorised(weights, states, counts)
    expected = loop_vectors(weights, states, frames, counts)
    assert_same(found, expected, weights, states, frames)


@settings(max_examples=30)
@given(frames=frame_counts, tokens=token_counts, seed=st.integers(0, 999))
def test_scaled_firing_equals_loop(frames, tokens, seed):
    weights, states = draw_batch(frames, seed)
    counts = torch.tensor(tokens[: len(frames)])
    scaled = scale_to(weights, counts)
    torch.testing.assert_close(scaled.sum(1), counts.double())
    found = vectorised(scaled, states, counts)
    expected = loop_vectors(scaled, states, frames, counts)
    assert_same(found, expected, weights, states, frames)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_long_utterance_under_autocast_equals_loop(dtype):
    frames = [1500, 700]
    weights, states = draw_batch(frames, seed=1, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        counts = count_fired(weights.double(), torch.tensor(frames))
        found = vectorised(weights, states.to(dtype), counts)
    expected = loop_vectors(weights, states.to(dtype), frames, counts)
    # Gradients come back in the precision of what they belong to.
    tolerance = 1e-4 if dtype == torch.float32 else 1e-1
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert_same(found, expected, weights, states, frames, tolerance)


@pytest.mark.parametrize("scaled", [True, False])
def test_gradients_equal_differences(scaled):
    weights, states = draw_batch([6, 4], seed=3)
    counts = torch.tensor([4, 7]) if scaled else count_fired(weights, torch.tensor([6, 4]))

    def fire(logits, states):
        weights = logits.sigmoid() * torch.tensor([[1.0] * 6, [1.0] * 4 + [0.0] * 2])
        return vectorised(scale_to(weights, counts) if scaled else weights, states, counts)

    logits = weights.detach().clamp(0.01, 0.99).logit().requires_grad_()
    assert torch.autograd.gradcheck(fire, (logits, states))


@pytest.mark.parametrize(
    ("weights", "count"),
    [([0.9, 0.5], 1), ([0.9, 0.6], 2), ([0.1, 0.1], 1), ([0.0, 0.0], 1), ([1.0, 1.0], 2)]
    + [([math.nan, 0.5], 1), ([9.0, 9.0], 2)],
)
def test_number_of_fired_vectors(weights, count):
    weights = torch.tensor([weights], dtype=torch.float64)
    assert count_fired(weights, torch.tensor([2])).tolist() == [count]
    assert count_fired(weights, torch.tensor([0])).tolist() == [0]


@pytest.mark.parametrize("counts", [[1, 1], [1, 5], [0, 3]])
@pytest.mark.parametrize("frames", [1, 4])
def test_weights_of_zero_are_finite(frames, counts):
    weights = torch.zeros(2, frames, dtype=torch.float64, requires_grad=True)
    states = torch.randn(2, frames, 3, requires_grad=True)
    vectors = integrate(scale_to(weights, torch.tensor(counts)), states, torch.tensor(counts))
    vectors.sum().backward()
    assert vectors.shape == (2, max(counts), 3)
    assert all(x.isfinite().all() for x in (vectors, weights.grad, states.grad))


def test_quantity_loss_is_per_token():
    weights = torch.tensor([[1.0, 1.5], [0.5, 0.0], [0.0, 0.0]])
    assert quantity_loss(weights, torch.tensor([2, 2, 0])).item() == pytest.approx((0.5 + 1.5) / 4)
    assert quantity_loss(0 * weights, torch.tensor([0, 0, 0])).item() == 0


def make_connector(**options):
    """A connector whose attention is not flat, as untrained it would be."""
    torch.manual_seed(0)
    connector = CIFConnector(WIDTH, OUTPUT, HIDDEN, 2, 2, 12, **options)
    for layer in connector.layers:
        torch.nn.init.normal_(layer.query.weight)
    return connector.eval()


def test_as_many_vectors_as_tokens():
    connector = make_connector(quantity_weight=3.0)
    feats, lengths = torch.randn(3, 9, WIDTH), torch.tensor([9, 1, 5])
    output = connector(feats, lengths, token_lengths=torch.tensor([2, 7, 0]))
    assert output.lengths.tolist() == [2, 7, 0]
    assert output.embeds.shape == (3, 7, OUTPUT)
    assert (output.embeds.abs().sum(2) > 0).sum(1).tolist() == [2, 7, 0]
    free = connector(feats, lengths)
    assert free.losses == {} and free.lengths.min() >= 1


@pytest.mark.parametrize("token_lengths", [None, torch.tensor([3, 2, 1])])
def test_only_own_frames_count(token_lengths):
    connector = make_connector()
    feats, lengths = torch.randn(3, 30, WIDTH), torch.tensor([12, 30, 7])
    for row, length in zip(feats, lengths, strict=True):
        row[length:] = torch.nan
    feats[1, 3] = torch.nan
    together = connector(feats, lengths, token_lengths=token_lengths)
    for b in (0, 2):
        sizes = lengths[[b]], None, None if token_lengths is None else token_lengths[[b]]
        alone = connector(feats[[b], : lengths[b]], *sizes)
        count = int(alone.lengths)
        assert together.lengths[b] == count
        assert not together.embeds[b, count:].any()
        torch.testing.assert_close(together.embeds[b, :count], alone.embeds[0], rtol=0, atol=1e-5)


def test_utterance_without_frames():
    connector = make_connector()
    feats = torch.randn(2, 4, WIDTH, requires_grad=True)
    output = connector(feats, torch.tensor([4, 0]), token_lengths=torch.tensor([2, 2]))
    assert output.embeds[0].any() and not output.embeds[1].any()
    (output.embeds.sum() + output.losses["quantity"]).backward()
    assert feats.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in connector.parameters())
    assert connector(feats, torch.tensor([4, 0])).lengths[1] == 0


def test_default_size():
    # Near that of the default SSR connector: 4.7 million.
    size = sum(p.numel() for p in CIFConnector(384, 576).parameters())
    assert size == pytest.approx(4.7e6, rel=0.1)


def test_even_kernel_is_refused():
    with pytest.raises(ValueError, match="must be odd, not 4"):
        FrameWeights(HIDDEN, 4)
