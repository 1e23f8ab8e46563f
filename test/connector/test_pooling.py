"""Poolings of packed states; against plain loops they are tested in test_ssr.py."""

import pytest
import torch

from espnet_ssr.connector.pooling import POOLINGS, softmax_sums
from espnet_ssr.connector.segments import Rows

SIZE, HEADS = 8, 2


@pytest.mark.parametrize("name", POOLINGS)
def test_starts_as_the_mean(name):
    torch.manual_seed(0)
    pool = POOLINGS[name](SIZE, HEADS)
    states, segments = torch.randn(5, SIZE), Rows.packed(torch.tensor([2, 3]))
    means = torch.stack([states[:2].mean(0), states[2:].mean(0)])
    if name == "cross":
        values = pool.key_value(means).unflatten(-1, (HEADS, -1)).chunk(2, dim=-1)[1]
        means = pool.output(values.flatten(1))
    torch.testing.assert_close(pool(states, segments), means)


@pytest.mark.parametrize("name", POOLINGS)
def test_what_is_not_finite_stays_in_its_segment(name):
    states = torch.randn(6, SIZE)
    states[3] = torch.nan
    vectors = POOLINGS[name](SIZE, HEADS)(states, Rows.packed(torch.tensor([2, 2, 2])))
    assert vectors.isfinite().all(1).tolist() == [True, False, True]


def test_segments_may_overlap():
    scores, values = torch.randn(4, 3), torch.randn(4, 3, 2)
    sums = softmax_sums(scores, values, Rows(torch.tensor([0, 2, 2]), torch.tensor([3, 1, 2])))
    for found, part in zip(sums, (slice(0, 3), slice(2, 3), slice(2, 4)), strict=True):
        expected = (scores[part].softmax(0)[..., None] * values[part]).sum(0)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("offset", [-1e4, 1e4])
def test_large_scores_do_not_overflow(offset):
    scores = torch.tensor([[0.0], [1.0]])
    values, segments = torch.tensor([[[1.0]], [[2.0]]]), Rows.packed(torch.tensor([2]))
    plain = softmax_sums(scores, values, segments)
    torch.testing.assert_close(softmax_sums(scores + offset, values, segments), plain)


def test_sums_of_bfloat16_are_not_rounded():
    states = torch.full((3000, 1, 1), 1.0078125, dtype=torch.bfloat16)
    segments = Rows.packed(torch.tensor([3000]))
    means = softmax_sums(states.new_zeros(3000, 1), states, segments)
    torch.testing.assert_close(means, torch.full((1, 1, 1), 1.0078125), rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", POOLINGS)
def test_no_segments(name):
    vectors = POOLINGS[name](SIZE, HEADS)(
        torch.zeros(0, SIZE), Rows.packed(torch.tensor([], dtype=torch.long))
    )
    assert vectors.shape == (0, SIZE)
