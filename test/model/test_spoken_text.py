"""Text read as if it had been spoken: embeddings with errors that the connector made."""

import pytest
import torch

from espnet_ssr.llm.load import load_language_model
from espnet_ssr.model.spoken_text import first_line, speak


@pytest.fixture(scope="module")
def llm(causal_lm):
    return load_language_model(causal_lm)


def test_errors_are_those_of_the_batch(llm):
    generator = torch.Generator().manual_seed(0)
    token_ids = [torch.tensor([5, 9]), torch.tensor([7])]
    wrong = torch.randn(3, llm.width, generator=generator)
    vectors = list((llm.embed(torch.cat(token_ids)) + wrong).split([2, 1]))
    text = torch.tensor([11, 12, 13, 14, 15, 16])
    (spoken,) = speak([text], vectors, token_ids, llm)
    distances = torch.cdist(spoken - llm.embed(text), wrong)
    assert (distances.min(1).values < 1e-5).all()
    assert len(distances.argmin(1).unique()) > 1


def test_the_connector_learns_nothing_from_it(llm):
    vectors = [torch.zeros(2, llm.width, requires_grad=True)]
    (spoken,) = speak([torch.tensor([3])], vectors, [torch.tensor([5, 9])], llm)
    assert not spoken.requires_grad


def test_no_texts(llm):
    assert speak([], [torch.zeros(1, llm.width)], [torch.tensor([5])], llm) == []


@pytest.mark.parametrize(
    "ids, wanted", [([4, 5, 9, 6, 8], [4, 5]), ([4, 5], [4, 5]), ([8, 4], []), ([], [])]
)
def test_first_line(ids, wanted):
    found = first_line(torch.tensor(ids, dtype=torch.long), torch.tensor([8, 9]))
    assert found.tolist() == wanted
