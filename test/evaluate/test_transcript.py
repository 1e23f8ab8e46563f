"""Scoring through the LLM: rows against transformers, controls."""

from dataclasses import replace

import pytest
import torch
from tiny_causal_lm import make_tokenizer
from torch.nn.functional import cross_entropy

from espnet_ssr.evaluate.items import Score
from espnet_ssr.evaluate.transcript import (
    Heard,
    Reader,
    another,
    make_items,
    score,
    write,
)
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.llm.prompt import Dictation, Prompt

TEXTS = {"b": " so it is", "a": " no", "c": " that is all"}


@pytest.fixture
def llm(causal_lm):
    return load_language_model(causal_lm)


@pytest.fixture
def prompt():
    return Prompt(make_tokenizer(start=True), "a<speech>b<text>\n")


@pytest.fixture
def targets(prompt):
    return {
        u: torch.tensor(prompt.tokenizer(text, add_special_tokens=False).input_ids)
        for u, text in TEXTS.items()
    }


@pytest.fixture
def vectors():
    generator = torch.Generator().manual_seed(0)
    sizes = {"b": 3, "a": 0, "c": 5}
    return {u: torch.randn(n, 16, generator=generator) for u, n in sizes.items()}


@torch.inference_mode()
def test_scores_are_sums_over_tokens(llm, prompt, vectors, targets):
    found = score(vectors, targets, llm, prompt)
    assert set(found) == set(TEXTS)
    for u, ids in targets.items():
        inputs = torch.cat([prompt.around(vectors[u], llm), llm.embed(ids)])[None]
        logits = llm.model(inputs_embeds=inputs).logits[0, -len(ids) - 1 : -1]
        nats = cross_entropy(logits, ids, reduction="sum").item()
        assert found[u].nats == pytest.approx(nats, rel=1e-4)
        assert found[u].correct == int((logits.argmax(-1) == ids).sum())
        assert found[u].tokens == len(ids)


@torch.inference_mode()
def test_nothing_to_predict(llm):
    alone = Prompt(make_tokenizer(start=False), "<speech>")
    ids = {u: torch.tensor([n]) for n, u in enumerate(TEXTS)}
    vectors = {u: llm.embed(i) for u, i in ids.items()}
    assert score(vectors, ids, llm, alone) == dict.fromkeys(TEXTS, Score(0.0, 0, 0))


@torch.inference_mode()
def test_transcripts_end_at_a_line_break_or_a_limit(prompt, vectors, targets):
    class Says:
        """An LLM that writes the same for everyone."""

        dtype = torch.float32

        def __init__(self, text):
            self.ids = prompt.tokenizer(text, add_special_tokens=False).input_ids

        def embed(self, ids):
            return torch.zeros(len(ids), 16)

        def generate(self, rows, stop, max_tokens):
            assert set(prompt.end) < set(stop)
            return [self.ids[:max_tokens]] * len(rows)

    found = write(vectors, targets, Says("  Yes,  it is"), prompt)
    assert found == dict.fromkeys(TEXTS, "Yes, it is")
    found = write(vectors, targets, Says(100 * "x"), prompt)
    assert {u: len(text) for u, text in found.items()} == {
        u: 2 * len(text) + 10 for u, text in TEXTS.items()
    }


def test_another_is_never_oneself_and_everyone_once():
    names = [f"u{i}" for i in range(20)]
    found = another(names, seed=3)
    assert sorted(found.values()) == sorted(names)
    assert all(a != b for a, b in found.items())
    assert another(names, seed=3) == found != another(names, seed=4)
    assert another(["alone"], seed=3) == {}


@torch.inference_mode()
def test_rows(llm, prompt, targets):
    # The vectors are the embeddings of the text, so that the first two rows are the same.
    heard = {u: Heard(llm.embed(ids), ids, 2.0) for u, ids in targets.items()}
    continuation = Prompt(prompt.tokenizer, "<speech>")
    dictation = Dictation(prompt.tokenizer, "Say:<dictated>")
    prompts = {"llm": prompt, "continuation": continuation, "dictation": dictation}
    reader = Reader(None, llm, prompts, None)
    others = {"b": "a", "a": "c", "c": "b"}
    items = {item.utt_id: item for item in make_items(["b", "a"], heard, others, reader)}
    assert list(items) == ["b", "a"]
    assert items["b"].other == "a"
    for u, item in items.items():
        ids = targets[u]
        assert (item.seconds, item.vectors, item.tokens) == (2.0, len(ids), len(ids))
        assert item.reference == TEXTS[u].strip()
        assert list(item.scores) == list(prompts)
        after = item.scores["llm"]
        assert list(after) == ["connector", "text", "nothing", "other utterance"]
        assert len({found.nats for found in after.values()}) == 3
        assert item.scores["continuation"]["connector"].divergence == pytest.approx(0, abs=1e-4)
        for rows in (*item.scores.values(), *item.written.values()):
            connector = rows["connector"]
            if isinstance(connector, Score):
                connector = replace(connector, divergence=None)
            assert connector == rows["text"]
        assert list(item.written) == ["llm", "dictation"]
        whole = torch.cat([torch.tensor(continuation.before), ids])
        logits = llm.model(input_ids=whole[None]).logits[0, :-1]
        nats = cross_entropy(logits[-len(ids) :], ids, reduction="sum").item()
        assert item.scores["continuation"]["text"].nats == pytest.approx(nats, rel=1e-4)
    # The vectors of the other one.
    swapped = {"b": heard["a"].vectors, "a": heard["c"].vectors}
    expected = score(swapped, {u: targets[u] for u in swapped}, llm, prompt)
    assert {u: item.scores["llm"]["other utterance"] for u, item in items.items()} == expected


@torch.inference_mode()
def test_rows_that_there_are_not(llm, prompt, targets):
    heard = {"a": Heard(llm.embed(targets["a"]), targets["a"], 2.0)}
    (item,) = make_items(["a"], heard, {}, Reader(None, llm, {"llm": prompt}, None))
    assert {kind: list(rows) for kind, rows in item.scores.items()} == {
        "llm": ["connector", "text", "nothing"]
    }
    assert item.other is None
