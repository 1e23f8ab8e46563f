"""Figures of connector outputs, and the control that hears other utterances' words."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.evaluate.embedding import (
    Utterance,
    connect_all,
    error_rates,
    fidelity,
    shuffle_segments,
    token_figures,
)
from espnet_ssr.llm.embedding import EmbeddingSpace

# Mean 0, every squared distance from it 1.
SQUARE = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


def test_fidelity_of_known_vectors():
    vectors = torch.tensor([[2.0, 0.0], [1.0, 1.1], [0.0, 1.0], [0.0, -1.0]])
    token_id = torch.tensor([0, 0, 2, 3])
    seen = torch.tensor([True, True, False, True])
    figures, nearest = fidelity(vectors, token_id, EmbeddingSpace(SQUARE), seen)
    assert nearest.tolist() == [0, 1, 1, 3]
    cosine = (1 + 1 / math.sqrt(1 + 1.1**2) + 0 + 1) / 4
    assert figures == pytest.approx(
        {
            "cosine": cosine,
            "centred_cosine": cosine,
            "mse": (1 + 1.21 + 2 + 0) / 4,
            "token_accuracy": 2 / 4,
            "token_accuracy_seen": 2 / 3,
            "token_accuracy_unseen": 0.0,
        }
    )


@pytest.mark.parametrize(
    ("seen", "missing"), [(True, "token_accuracy_unseen"), (False, "token_accuracy_seen")]
)
def test_accuracy_of_no_tokens_is_none(seen, missing):
    flags = torch.full((4,), seen)
    figures, _ = fidelity(SQUARE, torch.arange(4), EmbeddingSpace(SQUARE), flags)
    assert [name for name, value in figures.items() if value is None] == [missing]


def test_true_embeddings_are_perfect(embedding_matrix):
    ids = torch.arange(len(embedding_matrix))
    space = EmbeddingSpace(embedding_matrix)
    figures, nearest = fidelity(embedding_matrix, ids, space, ids % 2 == 0)
    assert figures.pop("mse") == 0
    assert figures == pytest.approx(dict.fromkeys(figures, 1.0))
    assert torch.equal(nearest, ids)


@pytest.mark.parametrize(
    ("references", "hypotheses", "wer", "cer"),
    [
        (["press one", "thank you"], ["press one", "thank you"], 0, 0),
        # Of the words of the set, not the mean over utterances.
        (["a b c", "d"], ["a b x", ""], 2 / 4, 2 / 6),
        (["one"], ["one two three"], 2, 10 / 3),
    ],
    ids=["equal", "over the set", "more than one"],
)
def test_error_rates(references, hypotheses, wer, cer):
    assert error_rates(references, hypotheses) == pytest.approx({"wer": wer, "cer": cer})


@st.composite
def utterance_sets(draw, min_size=2):
    """Utterances whose frames say where they are from: (utterance, frame)."""
    segments = st.lists(st.integers(1, 6), min_size=1, max_size=5)
    utterances = []
    for i, sizes in enumerate(draw(st.lists(segments, min_size=min_size, max_size=5))):
        total = sum(sizes) + draw(st.integers(0, 3))  # frames after the last segment are nobody's
        feats = torch.tensor([[i, t] for t in range(total)])
        ends = torch.tensor(sizes).cumsum(0) - 1
        utterances.append(Utterance(f"u{i}", feats, torch.arange(len(sizes)), ends))
    return utterances


def split_segments(utterance):
    """Frames of each segment, as lists."""
    edges = [0, *(utterance.token_end + 1).tolist()]
    return [utterance.feats[a:b].tolist() for a, b in zip(edges, edges[1:], strict=False)]


@given(utterances=utterance_sets(), seed=st.integers(0, 999))
def test_shuffled_segments_are_whole_and_of_others(utterances, seed):
    own = [split_segments(u) for u in utterances]
    shuffled = shuffle_segments(utterances, seed)
    for i, (before, after) in enumerate(zip(utterances, shuffled, strict=True)):
        assert after.utt_id == before.utt_id
        assert torch.equal(after.token_id, before.token_id)
        assert len(after.token_end) == len(before.token_id)
        assert len(after.feats) == after.token_end[-1] + 1
        others = [segment for j, found in enumerate(own) if j != i for segment in found]
        assert all(segment in others for segment in split_segments(after))


@given(utterances=utterance_sets(), seed=st.integers(0, 999))
def test_shuffling_is_reproducible(utterances, seed):
    torch.manual_seed(0)
    first = shuffle_segments(utterances, seed)
    torch.manual_seed(1)
    second = shuffle_segments(utterances, seed)
    assert [u.feats.tolist() for u in first] == [u.feats.tolist() for u in second]


def test_another_seed_shuffles_otherwise():
    feats = torch.arange(40.0)[:, None]
    ends = torch.arange(3, 40, 4)
    utterances = [Utterance(f"u{i}", feats + 100 * i, torch.arange(10), ends) for i in range(3)]
    results = [shuffle_segments(utterances, seed)[0].feats.tolist() for seed in range(3)]
    assert results[0] != results[1] != results[2]


@given(utterances=utterance_sets(min_size=1).map(lambda found: found[:1]))
def test_a_single_utterance_has_only_itself_to_draw_from(utterances):
    (shuffled,) = shuffle_segments(utterances, 0)
    own = split_segments(utterances[0])
    assert all(segment in own for segment in split_segments(shuffled))


@given(utterances=utterance_sets(min_size=1))
def test_connect_all_goes_utterance_by_utterance(utterances):
    vectors = connect_all(utterances, lambda feats, token_end: feats[token_end])
    expected = [[i, int(t)] for i, u in enumerate(utterances) for t in u.token_end]
    assert vectors.tolist() == expected


@pytest.mark.parametrize(
    ("references", "hypotheses", "found", "rate"),
    [
        ([[1, 2], [3]], [[1, 2], [3]], 1, 0),
        ([[1, 2, 3, 4]], [[1, 3, 3, 4, 5]], 3 / 4, 2 / 4),
        ([[1, 2], [3, 4]], [[2], []], 1 / 4, 3 / 4),
        ([[12]], [[1, 2]], 0, 2),  # tokens, not digits
    ],
)
def test_token_figures(references, hypotheses, found, rate):
    sides = [[torch.tensor(i, dtype=torch.long) for i in x] for x in (references, hypotheses)]
    expected = {"tokens_found": found, "token_error_rate": rate}
    assert token_figures(*sides) == pytest.approx(expected)
