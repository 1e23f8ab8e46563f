"""The losses against sums over all alignments, the prior against scipy's."""

import math
from itertools import groupby, product

import numpy as np
import pytest
import torch
from scipy.stats import betabinom

from espnet_ssr.align.forward_sum import (
    BLANK_SCORE,
    beta_binomial_prior,
    binarization_loss,
    forward_sum_loss,
)


def random_scores(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lengths(*values):
    return torch.tensor(values)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_prior(scale):
    num_frames, num_labels = [7, 12, 1], [4, 9, 1]
    prior = beta_binomial_prior(lengths(*num_frames), lengths(*num_labels), scale)
    assert prior.shape == (3, 12, 9)
    assert prior.isfinite().all()
    for log_prior, frames, labels in zip(prior, num_frames, num_labels, strict=True):
        time = np.arange(1, frames + 1)[:, None]
        wanted = betabinom.pmf(
            np.arange(labels), labels - 1, scale * time, scale * (frames + 1 - time)
        )
        np.testing.assert_allclose(log_prior[:frames, :labels].exp(), wanted, rtol=1e-4)


def summed_likelihood(scores):
    """Probability of all CTC paths that spell 1, 2, ..., L, one by one."""
    num_frames, num_labels = scores.shape
    columns = torch.cat([torch.full((num_frames, 1), BLANK_SCORE), scores], dim=1)
    log_probs = columns.log_softmax(dim=1).double()
    return sum(
        math.exp(sum(log_probs[t, label] for t, label in enumerate(path)))
        for path in product(range(num_labels + 1), repeat=num_frames)
        if [k for k, _ in groupby(path) if k > 0] == list(range(1, num_labels + 1))
    )


def test_forward_sum_is_the_sum_of_all_paths():
    scores = random_scores(2, 5, 3)
    loss = forward_sum_loss(scores, lengths(5, 4), lengths(3, 2))
    # The second utterance's padding may hold anything that is improbable.
    scores[1, :, 2:] = -1e4
    loss = forward_sum_loss(scores, lengths(5, 4), lengths(3, 2))
    wanted = [-math.log(summed_likelihood(scores[0])) / 3]
    wanted.append(-math.log(summed_likelihood(scores[1, :4, :2])) / 2)
    assert loss.item() == pytest.approx(sum(wanted) / 2, rel=1e-5)


def test_forward_sum_has_finite_gradients():
    scores = random_scores(3, 6, 4)
    scores[1, :, 2:] = -1e4
    scores.requires_grad_()
    # The last utterance has fewer frames than labels.
    loss = forward_sum_loss(scores, lengths(6, 5, 3), lengths(4, 2, 4))
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()
    assert (scores.grad[2] == 0).all()


def test_binarization():
    scores = random_scores(2, 6, 3)
    scores[0, torch.arange(6), torch.tensor([0, 1, 1, 1, 2, 2])] += 20
    scores[1, torch.arange(6), torch.tensor([0, 0, 0, 1, 0, 0])] += 20
    loss = binarization_loss(scores, lengths(6, 4), lengths(3, 2))
    log_probs = scores.log_softmax(dim=-1)
    first = log_probs[0, torch.arange(6), torch.tensor([0, 1, 1, 1, 2, 2])]
    second = log_probs[1, torch.arange(4), torch.tensor([0, 0, 0, 1])]
    assert loss.item() == pytest.approx(-torch.cat([first, second]).mean().item())


def test_binarization_leaves_out_what_is_too_short():
    scores = random_scores(2, 6, 3).requires_grad_()
    both = binarization_loss(scores, lengths(6, 2), lengths(3, 3))
    alone = binarization_loss(scores[:1], lengths(6), lengths(3))
    assert both.item() == pytest.approx(alone.item())
    nothing = binarization_loss(scores, lengths(1, 2), lengths(3, 3))
    nothing.backward()
    assert nothing.item() == 0
    assert (scores.grad == 0).all()
