"""Losses in chunks: equal to PyTorch's on all logits, values and gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, kl_div

from espnet_ssr.llm.cross_entropy import chunked_cross_entropy, score_tokens


def make(tokens, seed=0):
    torch.manual_seed(seed)
    layer = torch.nn.Linear(5, 11).requires_grad_(False)
    vectors = torch.randn(tokens, 5, requires_grad=True)
    return layer, vectors, torch.randint(11, (tokens,)), torch.randn(tokens, 5, requires_grad=True)


@given(tokens=st.integers(1, 20), chunk=st.integers(1, 25), seed=st.integers(0, 99))
def test_chunks_change_nothing(tokens, chunk, seed):
    layer, vectors, ids, teacher = make(tokens, seed)
    scores = score_tokens(layer, vectors, ids, (teacher, lambda part: 2 * layer(part)), chunk)
    logits = layer(vectors)
    nats = cross_entropy(logits, ids, reduction="none")
    wanted = (2 * layer(teacher.detach())).softmax(-1)
    divergence = kl_div(logits.log_softmax(-1), wanted, reduction="none").sum(-1)
    torch.testing.assert_close(scores.nats, nats)
    torch.testing.assert_close(scores.divergence, divergence, rtol=1e-4, atol=1e-5)
    assert torch.equal(scores.correct, (logits.argmax(-1) == ids).float())
    weights = torch.rand(tokens)
    expected = torch.autograd.grad((weights * (nats + divergence)).sum(), vectors)
    (weights * (scores.nats + scores.divergence)).sum().backward()
    torch.testing.assert_close(vectors.grad, expected[0], rtol=1e-4, atol=1e-5)
    assert teacher.grad is None


def test_logits_are_not_kept():
    layer, vectors, ids, teacher = make(20)
    largest = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: largest.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        score_tokens(layer, vectors, ids, (teacher, layer), chunk=7)
    assert max(largest) <= 7 * 5


def test_likeness_to_oneself_is_zero():
    layer, vectors, ids, _ = make(4)
    scores = score_tokens(layer, vectors, ids, (vectors, layer))
    torch.testing.assert_close(scores.divergence, torch.zeros(4))
    assert not score_tokens(layer, vectors, ids).divergence.any()


def test_mean_cross_entropy():
    layer, vectors, ids, _ = make(9)
    expected = cross_entropy(layer(vectors), ids)
    torch.testing.assert_close(chunked_cross_entropy(layer, vectors, ids, chunk=4), expected)


@pytest.mark.parametrize("chunk", [3, 100])
def test_half_precision_logits_are_scored_in_float32(chunk):
    layer, vectors, ids, _ = make(9)
    scores = score_tokens(lambda part: layer(part).bfloat16(), vectors, ids, chunk=chunk)
    assert scores.nats.dtype == torch.float32
