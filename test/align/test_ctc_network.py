"""The CTC network: its loss against all paths, priors, independence of the batch."""

import itertools

import pytest
import torch

from espnet_ssr.align.ctc_network import PRIOR_MOMENTUM, CTCNetwork, unnormalized_ctc_loss

SIZES = {"hidden_size": 8, "num_layers": 2, "num_heads": 2, "feedforward_size": 8}


def collapse(path):
    """What a path spells: repetitions, then blanks left out."""
    return [k for k, _ in itertools.groupby(path) if k]


def brute_force(scores, labels):
    """Minus the log of the summed exponentials of all paths' scores ``(T, V)``."""
    num_frames, num_symbols = scores.shape
    paths = itertools.product(range(num_symbols), repeat=num_frames)
    totals = [scores[range(num_frames), p].sum() for p in paths if collapse(p) == labels]
    return -torch.stack(totals).logsumexp(0)


@pytest.mark.parametrize("normalised", [True, False])
def test_loss_and_gradient_are_those_of_all_paths(normalised):
    torch.manual_seed(0)
    scores = torch.randn(3, 5, 3, dtype=torch.double)
    scores = (scores.log_softmax(-1) if normalised else scores).requires_grad_()
    rows, lengths = [[1, 2, 2], [2], [1, 2]], [5, 3, 4]
    labels = torch.tensor([row + [0] * (3 - len(row)) for row in rows])
    label_lengths = torch.tensor([len(row) for row in rows])
    loss = unnormalized_ctc_loss(scores, torch.tensor(lengths), labels, label_lengths)
    expected = sum(brute_force(x[:n], row) for x, n, row in zip(scores, lengths, rows, strict=True))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*(torch.autograd.grad(x, scores)[0] for x in (loss, expected)))


def test_gradient_reaches_the_network_through_the_prior():
    """Weights' gradients are those of the loss itself, by finite differences."""
    torch.manual_seed(0)
    network = CTCNetwork(3, 4, **SIZES, dropout_rate=0, prior_weight=0.7).double().eval()
    network.prior.copy_(torch.tensor([0.7, 0.1, 0.15, 0.05]))
    batch = make_batch()
    network(*batch)["loss"].backward()
    weight = network.output[1].bias
    for i in range(4):
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[i] += sign * 1e-5
                losses.append(network(*batch)["loss"].item())
                weight[i] -= sign * 1e-5
        assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(weight.grad[i].item(), abs=1e-6)


def make_batch(dtype=torch.double):
    """Two utterances of 6 and 4 frames."""
    feats = torch.randn(2, 6, 3, dtype=dtype)
    labels = torch.tensor([[1, 2, 3], [3, 3, 0]])
    return feats, torch.tensor([6, 4]), labels, torch.tensor([3, 2])


def test_loss_is_a_mean_over_labels():
    network = CTCNetwork(3, 4, **SIZES).double().eval()
    feats, lengths, labels, label_lengths = make_batch()
    losses = network(feats, lengths, labels, label_lengths)
    log_probs = network.log_probs(feats, lengths)
    expected = brute_force(log_probs[0], [1, 2, 3]) + brute_force(log_probs[1, :4], [3, 3])
    torch.testing.assert_close(losses["loss"], expected / 5)
    blank = torch.cat([log_probs[0], log_probs[1, :4]])[:, 0].exp().mean()
    torch.testing.assert_close(losses["blank"], blank)


@pytest.mark.parametrize("num_layers", [0, 2])
def test_an_utterance_does_not_depend_on_its_batch(num_layers):
    network = CTCNetwork(3, 4, **{**SIZES, "num_layers": num_layers}).eval()
    feats, lengths, *_ = make_batch(torch.float32)
    feats[1, 4:] = 100.0
    together = network.scores(feats, lengths)
    alone = network.scores(feats[1:, :4], lengths[1:])
    torch.testing.assert_close(together[1, :4], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bad", ["nan", "empty"])
def test_a_bad_utterance_does_not_harm_its_batch(bad):
    network = CTCNetwork(3, 4, **SIZES).eval()
    feats, lengths, *_ = make_batch(torch.float32)
    alone = network.scores(feats[:1], lengths[:1])
    if bad == "nan":
        feats[1, 2] = torch.nan
    else:
        lengths[1] = 0
    together = network.scores(feats, lengths)
    torch.testing.assert_close(together[0], alone[0], rtol=1e-4, atol=1e-5)


def test_prior_follows_the_mean_and_makes_the_blank_expensive():
    torch.manual_seed(0)
    network = CTCNetwork(3, 4, **SIZES, dropout_rate=0, prior_weight=0.5)
    batch = make_batch(torch.float32)
    uniform = network.prior.clone()
    assert uniform.tolist() == [0.25] * 4
    network.eval()(*batch)
    assert torch.equal(network.prior, uniform)
    log_probs = network.log_probs(*batch[:2])
    mean = torch.cat([log_probs[0], log_probs[1, :4]]).exp().mean(0)
    network.train()(*batch)
    expected = PRIOR_MOMENTUM * uniform + (1 - PRIOR_MOMENTUM) * mean
    torch.testing.assert_close(network.prior, expected)
    network.prior.copy_(torch.tensor([0.97, 0.01, 0.01, 0.01]))
    scores, log_probs = network.scores(*batch[:2]), network.log_probs(*batch[:2])
    torch.testing.assert_close(scores, log_probs - 0.5 * network.prior.log())


def test_learns_to_hear():
    """Frames that are labels are heard after some steps."""
    torch.manual_seed(0)
    network = CTCNetwork(4, 4, **SIZES, dropout_rate=0)
    heard = torch.tensor([[1, 0, 0, 2, 0, 3, 0, 1]])
    feats = torch.nn.functional.one_hot(heard, 4).float()
    batch = feats, torch.tensor([8]), torch.tensor([[1, 2, 3, 1]]), torch.tensor([4])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    first = network(*batch)["loss"]
    for _ in range(50):
        optimizer.zero_grad()
        loss = network(*batch)["loss"]
        loss.backward()
        optimizer.step()
    assert loss < 0.2 * first
    assert collapse(network.scores(*batch[:2])[0].argmax(-1).tolist()) == [1, 2, 3, 1]
