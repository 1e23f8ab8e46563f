"""Losses of distillation against their formulas, one token at a time."""

import pytest
import torch
from torch.nn.functional import cosine_similarity

from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.model.objective import LOSSES, DistillObjective

# The loss of a hull head's scores comes from there.
OF_VECTORS = [name for name in LOSSES if name != "posterior"]


@pytest.fixture
def space():
    generator = torch.Generator().manual_seed(0)
    return EmbeddingSpace(torch.randn(11, 6, generator=generator) + 2)


@pytest.fixture
def pairs():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 6, generator=generator), torch.tensor([3, 0, 3, 10, 7])


def scores_of(vector, space, candidates, temperature):
    """Centred cosine of one vector with each candidate, over the temperature."""
    centred = space.matrix[candidates] - space.mean
    return cosine_similarity((vector - space.mean)[None], centred) / temperature


def plain_loss(name, vector, token, space, candidates, temperature):
    target = space.matrix[token]
    squares = (vector - target).square().sum()
    if name == "cosine":
        return 1 - cosine_similarity(vector, target, dim=0)
    if name == "centred_cosine":
        return 1 - cosine_similarity(vector - space.mean, target - space.mean, dim=0)
    if name == "mse":
        return squares / (space.matrix - space.mean).square().sum(1).mean()
    if name == "normalized_mse":
        return squares / target.square().sum()
    scores = scores_of(vector, space, candidates, temperature)
    return scores.logsumexp(0) - scores[candidates.index(int(token))]


@pytest.mark.parametrize("name", OF_VECTORS)
def test_each_loss_is_its_formula(space, pairs, name):
    vectors, ids = pairs
    # With no negatives drawn the candidates of InfoNCE are the batch's distinct tokens.
    candidates = list(range(11)) if name == "cross_entropy" else [0, 3, 7, 10]
    objective = DistillObjective({name: 2.0}, temperature=0.5, negatives=0)
    loss, stats = objective(vectors, ids, space)
    plain = [plain_loss(name, v, t, space, candidates, 0.5) for v, t in zip(*pairs, strict=True)]
    torch.testing.assert_close(loss, 2 * torch.stack(plain).mean())
    assert {"cosine", "centred_cosine", "mse"} <= set(stats)


def test_losses_add_up(space, pairs):
    weights = dict(zip(OF_VECTORS, (0.5, 1.0, 2.0, 0.1, 0.3, 0.7), strict=True))
    total, _ = DistillObjective(weights, negatives=0)(*pairs, space)
    parts = [
        DistillObjective({name: w}, negatives=0)(*pairs, space)[0] for name, w in weights.items()
    ]
    torch.testing.assert_close(total, sum(parts))


def test_the_loss_of_scores_is_added_by_its_weight(space, pairs):
    posterior = torch.tensor(3.0)
    alone, stats = DistillObjective({"posterior": 0.5})(*pairs, space, posterior)
    assert (float(alone), float(stats["posterior"])) == (1.5, 3.0)
    both, _ = DistillObjective({"posterior": 0.5, "mse": 1.0})(*pairs, space, posterior)
    torch.testing.assert_close(both, alone + stats["mse"])


def test_all_of_the_vocabulary_as_negatives_is_cross_entropy(space, pairs):
    sampled, _ = DistillObjective({"info_nce": 1.0}, negatives=2000)(*pairs, space)
    full, _ = DistillObjective({"cross_entropy": 1.0})(*pairs, space)
    torch.testing.assert_close(sampled, full)


@pytest.mark.parametrize("name", OF_VECTORS)
def test_gradient_leads_to_the_token(space, pairs, name):
    vectors, ids = pairs[0].clone().requires_grad_(), pairs[1]
    objective = DistillObjective({name: 1.0}, temperature=0.5)
    optimizer = torch.optim.Adam([vectors], lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        objective(vectors, ids, space)[0].backward()
        optimizer.step()
    if name == "cosine":  # which does not say on which side of the mean a vector ends
        assert space.fidelity(vectors.detach(), ids)["cosine"].min() > 0.95
    else:
        assert space.nearest(vectors.detach()).tolist() == ids.tolist()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"cosin": 1.0}, "unknown 'cosin'; there are cosine"),
        ({}, "none given"),
        ({"mse": 0}, "none"),
    ],
)
def test_wrong_weights(weights, message):
    with pytest.raises(ValueError, match=f"model_conf: losses: {message}"):
        DistillObjective(weights)
