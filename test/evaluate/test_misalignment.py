"""M and F on a toy LLM against transformers' own logits and a sum over the vocabulary."""

import copy

import pytest
import torch
from tiny_causal_lm import make_tokenizer

from espnet_ssr.evaluate import retention
from espnet_ssr.evaluate.forgetting import measure_forgetting, read_documents
from espnet_ssr.evaluate.misalignment import Predictions, predict, score_predictions
from espnet_ssr.evaluate.retention import Benchmark
from espnet_ssr.evaluate.transcript import score
from espnet_ssr.evaluate.transcript_jobs import mean_score
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.llm.prompt import Prompt, text_row

TEXTS = {"b": " so it is", "a": " no", "c": " that is all"}


@pytest.fixture
def llm(causal_lm):
    return load_language_model(causal_lm)


@pytest.fixture
def changed(llm):
    """The LLM with other weights."""
    other = copy.deepcopy(llm)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in other.model.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return other


def kl(wanted, found):
    """KL of the softmax of logits ``(M, V)``, a sum over the vocabulary, ``(M,)``."""
    p, q = wanted.double().softmax(-1), found.double().softmax(-1)
    return (p * (p / q).log()).sum(-1)


def test_divergence_by_hand():
    wanted = Predictions(torch.tensor([[1.0, 0.0]]), torch.nn.Identity())
    found = Predictions(torch.tensor([[3.0, 0.0]]), torch.nn.Identity())
    p, q = torch.tensor([1.0, 0.0]).softmax(-1), torch.tensor([3.0, 0.0]).softmax(-1)
    expected = (p[0] * (p[0] / q[0]).log() + p[1] * (p[1] / q[1]).log()).item()
    ids = torch.tensor([0])
    scores = score_predictions(found, ids, wanted)
    assert scores.divergence.item() == pytest.approx(expected, rel=1e-5)
    assert scores.nats.item() == pytest.approx(-q[0].log().item(), rel=1e-5)
    # It has a direction.
    assert score_predictions(wanted, ids, found).divergence.item() != pytest.approx(expected, 0.05)
    assert score_predictions(found, ids).divergence.item() == 0


@torch.no_grad()
def test_predictions_of_rows(llm, changed):
    ids = [torch.tensor([5, 9, 200, 7]), torch.tensor([3, 4])]
    targets = torch.cat([i[1:] for i in ids])
    before, after = (predict([text_row(i, model) for i in ids], model) for model in (llm, changed))
    found = score_predictions(after, targets, before).divergence
    expected = [
        kl(llm.model(i[None]).logits[0, :-1], changed.model(i[None]).logits[0, :-1]) for i in ids
    ]
    assert found.tolist() == pytest.approx(torch.cat(expected).tolist(), rel=1e-3)


@torch.inference_mode()
@pytest.mark.parametrize("start", [True, False], ids=["start token", "no start token"])
def test_misalignment(llm, start):
    """At each token, after the text or the vectors of the tokens before it."""
    prompt = Prompt(make_tokenizer(start), "<speech>")
    generator = torch.Generator().manual_seed(0)
    ids = {
        u: torch.tensor(prompt.tokenizer(text, add_special_tokens=False).input_ids)
        for u, text in TEXTS.items()
    }
    text = {u: llm.embed(i) for u, i in ids.items()}
    speech = {u: e + torch.randn(e.shape, generator=generator) for u, e in text.items()}
    scores = score(speech, ids, llm, prompt, text)
    expected = {}
    for u in ids:
        first = llm.embed(prompt.before)
        wanted, found = (
            llm.model(inputs_embeds=torch.cat([first, rows[u][:-1]])[None]).logits[0]
            for rows in (text, speech)
        )
        expected[u] = kl(wanted, found).sum().item()
        assert scores[u].divergence == pytest.approx(expected[u], rel=1e-3)
        assert scores[u].tokens == len(ids[u]) - (not start)
    mean = mean_score(list(scores.values()))["misalignment"]
    tokens = sum(s.tokens for s in scores.values())
    assert mean == pytest.approx(sum(expected.values()) / tokens, rel=1e-3)
    # Vectors that are the embeddings of the text are not apart from it.
    same = score(text, ids, llm, prompt, text)
    assert all(s.divergence == pytest.approx(0, abs=1e-4) for s in same.values())
    assert "misalignment" not in mean_score(list(score(speech, ids, llm, prompt).values()))


@torch.inference_mode()
def test_forgetting(llm, changed, monkeypatch):
    monkeypatch.setattr(retention, "MAX_POSITIONS", 20)  # several batches of different lengths
    tokenizer = make_tokenizer(start=True)
    benchmark = Benchmark(["It is late.", "no", "A long one that is to be cut."], [], max_tokens=12)
    nats, tokens = 0.0, 0
    for text in benchmark.documents:
        ids = torch.tensor([tokenizer(text).input_ids[:13]])
        before, after = (model.model(ids).logits[0, :-1] for model in (llm, changed))
        nats += kl(before, after).sum().item()
        tokens += len(before)
    after = read_documents(changed, tokenizer, benchmark)
    found = measure_forgetting(llm, tokenizer, benchmark, after)
    assert found == pytest.approx(nats / tokens, rel=1e-3)
    unchanged = read_documents(llm, tokenizer, benchmark)
    assert measure_forgetting(llm, tokenizer, benchmark, unchanged) == pytest.approx(0, abs=1e-5)
