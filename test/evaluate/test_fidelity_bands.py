"""Bands by hand, and means over all of them against the figures of the whole set."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.evaluate.embedding import fidelity
from espnet_ssr.evaluate.fidelity_bands import COUNTS, accuracy_by_count, fidelity_by_band
from espnet_ssr.llm.embedding import EmbeddingSpace


def test_bands(embedding_matrix):
    space = EmbeddingSpace(embedding_matrix)
    token_id = torch.tensor([0, 1, 2, 3, 4])
    counts = torch.zeros(40, dtype=torch.long)
    counts[:5] = torch.tensor([0, 1, 9, 10, 5000])
    vectors = space(token_id).clone()
    vectors[1] = space(torch.tensor([7]))[0]  # a wrong one
    found = fidelity_by_band(vectors, [2, 3], token_id, counts, space)
    spans = [(b["from"], b["to"], b["tokens"]) for b in found["frequency"]]
    assert spans == [(0, 0, 1), (1, 9, 2), (10, 99, 1), (1000, None, 1)]
    assert [b["token_accuracy"] for b in found["frequency"]] == [1, 0.5, 1, 1]
    spans = [(b["from"], b["to"], b["tokens"]) for b in found["position"]]
    assert spans == [(0, 0, 2), (1, 1, 2), (2, 3, 1)]
    assert [b["token_accuracy"] for b in found["position"]] == [1, 0.5, 1]


@given(lengths=st.lists(st.integers(1, 80), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_bands_are_parts_of_the_whole(embedding_matrix, lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    space = EmbeddingSpace(embedding_matrix)
    token_id = torch.randint(40, (sum(lengths),), generator=generator)
    counts = torch.randint(3000, (40,), generator=generator)
    vectors = space(token_id) + 0.1 * torch.randn(sum(lengths), 12, generator=generator)
    whole, _ = fidelity(vectors, token_id, space, counts > 0)
    for bands in fidelity_by_band(vectors, lengths, token_id, counts, space).values():
        assert sum(band["tokens"] for band in bands) == sum(lengths)
        for name in ("token_accuracy", "cosine", "centred_cosine", "mse"):
            mean = sum(band["tokens"] * band[name] for band in bands) / sum(lengths)
            assert mean == pytest.approx(whole[name], abs=1e-5)


def band(first, last, tokens, accuracy):
    return {"from": first, "to": last, "tokens": tokens, "token_accuracy": accuracy}


def test_bands_above_100_are_one():
    bands = [band(0, 0, 3, 0.25), band(100, 999, 3, 0.5), band(1000, None, 1, 1.0)]
    expected = {"token_accuracy_0": 0.25, "token_accuracy_100": 0.625}
    assert accuracy_by_count(bands) == expected
    assert accuracy_by_count([]) == {}
    with pytest.raises(ValueError, match="not parts of 1 to 9"):
        accuracy_by_count([band(5, 20, 1, 1.0)])


@given(seed=st.integers(0, 99))
def test_accuracy_by_count_is_that_of_the_tokens(embedding_matrix, seed):
    generator = torch.Generator().manual_seed(seed)
    space = EmbeddingSpace(embedding_matrix)
    token_id = torch.randint(40, (60,), generator=generator)
    scale = 10 ** torch.randint(4, (40,), generator=generator)
    counts = torch.randint(2000, (40,), generator=generator) // scale
    vectors = space(token_id) + 0.3 * torch.randn(60, 12, generator=generator)
    correct = space.nearest(vectors) == token_id
    bands = fidelity_by_band(vectors, [60], token_id, counts, space)["frequency"]
    found = accuracy_by_count(bands)
    for suffix, (first, last) in COUNTS.items():
        own = counts[token_id]
        of_band = correct[(own >= first) & (own <= (own.max() if last is None else last))]
        name = f"token_accuracy{suffix}"
        assert (name in found) == bool(len(of_band))
        if len(of_band):
            assert found[name] == pytest.approx(of_band.float().mean().item(), abs=1e-6)
