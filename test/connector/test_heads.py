"""The hull head against plain formulas: scores, sums, posteriors, candidates."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from espnet_ssr.connector import heads
from espnet_ssr.connector.heads import HullHead
from espnet_ssr.connector.keys import ComputedKeys, StoredKeys, TokenSymbols

VOCABULARY, WIDTH, STATE = 40, 6, 8
SPOKEN = {i: chr(97 + i % 26) * (1 + i // 26) + chr(97 + i % 7) for i in range(3, VOCABULARY, 2)}
MATRIX = torch.randn(VOCABULARY, WIDTH, generator=torch.Generator().manual_seed(0))


def make_head(**options):
    torch.manual_seed(0)
    keys = ComputedKeys({"spelling": TokenSymbols.build(SPOKEN)}, 5, 4, 6)
    head = HullHead(STATE, WIDTH, keys, **options)
    head.attach(lambda ids: MATRIX[ids])
    return head.eval()


def make_states(count, seed=0):
    return torch.randn(count, STATE, generator=torch.Generator().manual_seed(seed))


def plain_scores(head, states, ids):
    keys, biases = head.keys(torch.tensor([sorted(SPOKEN).index(i) for i in ids]))
    cosines = normalize(head.query(states), dim=1) @ keys.T
    return head.log_scale.exp() * cosines + biases


@settings(deadline=None)
@given(st.integers(0, 9), st.integers(0, 99), st.sampled_from([1.0, 4.0]))
def test_vectors_are_sums_weighted_by_the_softmax_of_all_scores(count, seed, sharpness):
    head, states = make_head(top_k=0, sharpness=sharpness), make_states(count, seed)
    ids = sorted(SPOKEN)
    weights = (sharpness * plain_scores(head, states, ids)).softmax(1)
    torch.testing.assert_close(head(states), weights @ MATRIX[ids], rtol=1e-4, atol=1e-5)


@given(st.integers(1, len(SPOKEN)), st.integers(0, 99))
def test_a_sum_of_k_tokens_is_off_by_at_most_what_is_left_out(k, seed):
    head, states = make_head(top_k=0), make_states(7, seed)
    exact = head(states)
    left_out = 1 - head.posteriors(states, k).probabilities.sum(1)
    head.top_k = k
    diameter = torch.cdist(MATRIX, MATRIX).max()
    assert ((head(states) - exact).norm(dim=1) <= left_out * diameter + 1e-5).all()


def test_vectors_lie_in_the_hull_of_the_embeddings_that_can_be_spoken():
    spoken = MATRIX[sorted(SPOKEN)]
    directions = torch.randn(50, WIDTH, generator=torch.Generator().manual_seed(1))
    for vectors in (make_head(top_k=3)(make_states(9)), make_head(sharpness=9.0)(make_states(9))):
        assert (vectors @ directions.T <= (spoken @ directions.T).amax(0) + 1e-5).all()


def test_chunks_and_the_rest_of_a_batch_change_nothing(monkeypatch):
    head, states = make_head(top_k=4), make_states(11)
    whole, posteriors = head(states), head.posteriors(states, 3)
    nats = head.cross_entropy(states, torch.tensor(sorted(SPOKEN)[:11]))
    monkeypatch.setattr(heads, "CHUNK_NUMBERS", 2 * len(SPOKEN))
    torch.testing.assert_close(head(states), whole)
    torch.testing.assert_close(head(states[3:4]), whole[3:4])
    for found, expected in zip(head.posteriors(states, 3), posteriors, strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(head.cross_entropy(states, torch.tensor(sorted(SPOKEN)[:11])), nats)


def test_posteriors_are_the_softmax_and_its_entropy():
    head, states, ids = make_head(), make_states(5), torch.tensor(sorted(SPOKEN))
    full = plain_scores(head, states, sorted(SPOKEN)).softmax(1)
    best = full.topk(4)
    found = head.posteriors(states, 4)
    assert torch.equal(found.ids, ids[best.indices])
    torch.testing.assert_close(found.probabilities, best.values)
    torch.testing.assert_close(found.entropy, -(full * full.log()).sum(1))
    assert head.posteriors(states, 1000).ids.shape == (5, len(SPOKEN))
    assert [len(part) for part in head.posteriors(states[:0], 2)] == [0, 0, 0]


def test_gradients_of_candidates_are_those_of_the_formula():
    head = make_head().train()
    states = make_states(6).requires_grad_()
    candidates = torch.tensor(sorted(SPOKEN)[2:9])
    target = torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(2))

    def backward(vectors):
        head.zero_grad()
        states.grad = None
        (vectors * target).sum().backward()
        return [states.grad.clone(), *(p.grad.clone() for p in head.parameters())]

    scores = head.scores(states, head.keys_of(candidates))
    found = backward(head.mix(scores, candidates))
    plain = plain_scores(head, states, candidates.tolist())
    expected = backward(plain.softmax(1) @ MATRIX[candidates])
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_candidates_are_the_tokens_that_can_be_spoken_and_drawn_ones():
    head = make_head(negatives=5)
    own = torch.tensor([[3, 4, 0], [5, 3, VOCABULARY - 2]])
    candidates, offsets = head.draw_candidates(own)
    assert {3, 5} <= set(candidates.tolist()) <= set(SPOKEN)
    assert torch.equal(candidates, candidates.unique())
    assert len(candidates) <= 7
    # Those drawn stand for all but the two of the batch.
    others = [o for c, o in zip(candidates.tolist(), offsets.exp(), strict=True) if c not in (3, 5)]
    assert sum(others) == pytest.approx(len(SPOKEN) - 2)
    assert all(o == 0 for c, o in zip(candidates.tolist(), offsets, strict=True) if c in (3, 5))


def test_the_loss_of_all_tokens_drawn_is_cross_entropy():
    head, states = make_head(negatives=2000), make_states(4)
    ids = torch.tensor(sorted(SPOKEN)[3:7])
    candidates, offsets = head.draw_candidates(ids)
    assert len(candidates) == len(SPOKEN)
    scores = head.scores(states, head.keys_of(candidates)) + offsets
    found = torch.nn.functional.cross_entropy(scores, torch.searchsorted(candidates, ids))
    torch.testing.assert_close(found, head.cross_entropy(states, ids))


def test_scores_are_less_the_prior_of_the_tokens_seen_in_training():
    head, states, ids = make_head(top_k=0), make_states(4), sorted(SPOKEN)
    before, n = head(states), ids.index(5)
    for _ in range(2):
        head.draw_candidates(torch.tensor([[5, 5, 3], [5, 4, 0]]))
    assert head.eval()(states).equal(before)
    head.prior_weight = 0.5
    share = torch.zeros(len(ids))
    share[n], share[ids.index(3)] = 0.75, 0.25
    scores = plain_scores(head, states, ids) - 0.5 * (share + 1e-5).log()
    head.eval()
    torch.testing.assert_close(head(states), scores.softmax(1) @ MATRIX[ids])
    head.store_keys()
    torch.testing.assert_close(head(states), scores.softmax(1) @ MATRIX[ids])


def test_what_cannot_be_spoken_is_told():
    head, own = make_head(), torch.tensor([[3, 4, 0], [5, 3, VOCABULARY - 2]])
    assert head.can_be_spoken(own).tolist() == [[True, False, False], [True, True, False]]


def test_keys_are_kept_until_weights_may_change():
    head, states = make_head(), make_states(4)
    before = head(states)
    assert head.all_keys() is head.all_keys()
    other = copy.deepcopy(head)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    expected = other.eval()(states)
    head.load_state_dict(other.state_dict())
    assert not torch.allclose(expected, before)
    torch.testing.assert_close(head(states), expected)


def test_keys_that_were_computed_under_autocast_are_the_same():
    head, states = make_head(), make_states(4)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = head(states)
    torch.testing.assert_close(head(states), make_head()(states))
    torch.testing.assert_close(rounded.float(), head(states), atol=0.1, rtol=0.1)


def test_stored_keys_take_the_place_of_what_computes_them():
    head, states = make_head(top_k=5), make_states(4)
    expected, posteriors = head(states), head.posteriors(states, 2)
    head.store_keys()
    assert not any("networks" in name for name in head.state_dict())
    torch.testing.assert_close(head(states), expected)
    loaded = HullHead(STATE, WIDTH, StoredKeys.empty(len(SPOKEN), 5), top_k=5)
    loaded.load_state_dict(head.state_dict())
    loaded.attach(lambda ids: MATRIX[ids])
    torch.testing.assert_close(loaded(states), expected)
    torch.testing.assert_close(loaded.posteriors(states, 2).entropy, posteriors.entropy)


def test_without_embeddings_there_are_no_vectors():
    keys = ComputedKeys({"spelling": TokenSymbols.build(SPOKEN)}, 5, 4, 6)
    with pytest.raises(RuntimeError, match="call attach first"):
        HullHead(STATE, WIDTH, keys)(make_states(1))


def test_a_vocabulary_of_262144_tokens_takes_less_than_4_gb():
    """What is allocated at a time is counted, not the process: tests share it."""
    torch.manual_seed(0)
    size, states = 262_144, make_states(600)
    head = HullHead(
        STATE, 4, StoredKeys(torch.arange(size), torch.randn(size, 5), torch.zeros(size))
    )
    matrix = torch.randn(size, 4)
    head.attach(lambda ids: matrix[ids])
    rows = []
    plain = head.scores
    head.scores = lambda part, keys: rows.append(len(part)) or plain(part, keys)
    assert head(states).shape == (600, 4)
    assert sum(rows) == 600
    # Scores, scaled scores and the work space of topk, 4 bytes each.
    assert 3 * 4 * max(rows) * size < 2**30
