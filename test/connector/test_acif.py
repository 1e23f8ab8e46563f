"""ACIF: free firing in training, CIF otherwise, vectors matched with tokens by DTW."""

import pytest
import torch

from espnet_ssr.connector.acif import ACIFConnector

WIDTH, OUTPUT = 5, 6


def make_connector():
    torch.manual_seed(0)
    return ACIFConnector(WIDTH, OUTPUT, 8, 1, 2, 12, dropout_rate=0.0)


def test_fires_freely_in_training_only():
    connector = make_connector()
    feats, lengths = torch.randn(2, 60, WIDTH), torch.tensor([60, 40])
    token_lengths = torch.tensor([25, 1])
    free = connector.train()(feats, lengths, token_lengths=token_lengths)
    assert torch.equal(free.lengths, connector(feats, lengths).lengths)
    assert free.lengths.min() >= 1 and free.lengths.max() < 25
    assert free.losses["quantity"] > 0
    told = connector.eval()(feats, lengths, token_lengths=token_lengths)
    assert torch.equal(told.lengths, token_lengths)
    # The number of vectors is the only thing that it is told.
    torch.testing.assert_close(told.losses, free.losses)


@pytest.mark.parametrize("logit", [-30.0, 30.0])
def test_at_most_a_vector_a_frame(logit):
    connector = make_connector()
    torch.nn.init.constant_(connector.weights.linear.bias, logit)
    feats, lengths = torch.randn(2, 60, WIDTH), torch.tensor([60, 40])
    counts = connector(feats, lengths, token_lengths=torch.tensor([3, 2])).lengths
    assert counts.tolist() == ([1, 1] if logit < 0 else [60, 40])


def test_match_follows_the_tokens():
    targets = torch.eye(4)[None].expand(3, -1, -1)
    # Utterance 0 has the second token twice and lacks the third, utterance 1 is a token long.
    vectors = torch.zeros(3, 4, 4)
    vectors[0] = torch.eye(4)[[0, 1, 1, 3]] * torch.tensor([[1.0], [20.0], [0.1], [1.0]])
    vectors[1, 0] = torch.eye(4)[0]
    lengths, token_lengths = torch.tensor([4, 1, 3]), torch.tensor([4, 1, 0])
    found = make_connector().match(vectors, lengths, targets, token_lengths)
    pairs = list(zip(*(x.tolist() for x in found), strict=True))
    assert pairs[-1] == (1, 0, 0)
    of_first = [(vector, token) for utterance, vector, token in pairs if utterance == 0]
    assert of_first[0] == (0, 0) and of_first[-1] == (3, 3)
    assert (1, 1) in of_first
    assert {v for v, _ in of_first} == {t for _, t in of_first} == set(range(4))


def test_match_is_one_to_one_out_of_training():
    vectors, lengths = torch.randn(2, 3, 4), torch.tensor([3, 2])
    found = make_connector().eval().match(vectors, lengths, vectors.flip(1), lengths)
    assert [x.tolist() for x in found] == [[0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [0, 1, 2, 0, 1]]


def test_match_under_autocast():
    connector = make_connector()
    vectors, targets = torch.randn(2, 40, 64), torch.randn(2, 30, 64)
    lengths = torch.tensor([40, 12]), torch.tensor([30, 7])
    expected = connector.match(vectors, lengths[0], targets, lengths[1])
    with torch.autocast("cpu", torch.bfloat16):
        found = connector.match(vectors, lengths[0], targets, lengths[1])
    assert all(torch.equal(x, y) for x, y in zip(found, expected, strict=True))


def test_distilled_gradients_are_finite():
    connector = make_connector()
    feats, lengths = torch.randn(3, 50, WIDTH), torch.tensor([50, 30, 0])
    token_lengths = torch.tensor([9, 4, 0])
    targets = torch.randn(3, 9, OUTPUT)
    output = connector(feats, lengths, token_lengths=token_lengths)
    utterance, vector, token = connector.match(
        output.embeds, output.lengths, targets, token_lengths
    )
    distance = (output.embeds[utterance, vector] - targets[utterance, token]).square().mean()
    (distance + output.losses["quantity"]).backward()
    for name, parameter in connector.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
