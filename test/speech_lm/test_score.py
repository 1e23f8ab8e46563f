"""Likelihoods against a plain loop of transformers: text, speech, mixtures, batches."""

import pytest
import torch
from plain_loop import plain_log_likelihoods
from tiny_causal_lm import make_tokenizer

from espnet_ssr import Speech, SpeechLM
from espnet_ssr.task.lm import SSRLMTask


@pytest.fixture(scope="module")
def wav(sound):
    return sound(1.2, (0.2, 0.4), (0.6, 1.0))


def spell(lm, text):
    return lm.tokenizer(text, add_special_tokens=False).input_ids


@torch.no_grad()
def row(lm, *parts):
    """Vectors of texts and of vectors, the tokenizer's start first."""
    start = lm.llm.embed([lm.tokenizer.bos_token_id])
    rest = [lm.llm.embed(spell(lm, p)) if isinstance(p, str) else p for p in parts]
    return torch.cat([start, *rest]).detach()


def check(score, expected, ids):
    assert score.token_id.tolist() == list(ids)
    assert score.num_tokens == len(ids)
    torch.testing.assert_close(score.per_token, expected, atol=1e-4, rtol=0)
    assert score.log_likelihood == pytest.approx(expected.sum().item(), abs=1e-4)


def test_text_after_text(lm):
    ids = spell(lm, " sat.")
    expected = plain_log_likelihoods(lm.llm, row(lm, "The cat", " sat."), ids)
    check(lm.score("The cat", " sat."), expected, ids)
    check(lm.score(["The", " cat"], " sat."), expected, ids)
    # The tokenizer's start is there once, whoever wrote it.
    check(lm.score("<s>The cat", " sat."), expected, ids)


def test_the_tokenizers_start_is_a_context(lm):
    ids = spell(lm, "so")
    check(lm.score("", "so"), plain_log_likelihoods(lm.llm, row(lm, "so"), ids), ids)


def test_text_after_speech_in_the_middle(lm, wav):
    vectors = lm.embed(wav)
    ids = spell(lm, " yes")
    expected = plain_log_likelihoods(lm.llm, row(lm, "He said", vectors, ". Really?", " yes"), ids)
    check(lm.score(["He said", wav, ". Really?"], " yes"), expected, ids)
    told = lm.embed(wav, "ab c")
    expected = plain_log_likelihoods(lm.llm, row(lm, told, "?", " yes"), ids)
    check(lm.score([Speech(wav, text="ab c"), "?"], " yes"), expected, ids)


def test_of_speech_the_tokens_of_its_transcript_are_scored(lm, wav):
    ids = spell(lm, " ab c")
    expected = plain_log_likelihoods(lm.llm, row(lm, "He said", lm.embed(wav, "ab c")), ids)
    check(lm.score("He said", Speech(wav, text="ab c")), expected, ids)


def test_of_speech_without_a_transcript_the_nearest_tokens_are_scored(lm, wav):
    vectors = lm.embed(wav)
    matrix = lm.llm.embedding_matrix()
    centred = torch.nn.functional.normalize(matrix - matrix.mean(0), dim=-1)
    nearest = ((vectors - matrix.mean(0)) @ centred.T).argmax(-1).tolist()
    expected = plain_log_likelihoods(lm.llm, row(lm, "a", vectors), nearest)
    check(lm.score("a", wav), expected, nearest)
    assert lm.nearest(vectors) == [lm.tokenizer.decode([i]) for i in nearest]
    assert lm.nearest(lm.llm.embed(spell(lm, "ab c"))) == ["a", "b", " ", "c"]


def test_a_mixed_continuation(lm, wav):
    ids = spell(lm, "x") + spell(lm, " ab c") + spell(lm, "yz")
    inputs = row(lm, "a", "x", lm.embed(wav, "ab c"), "yz")
    continuation = ["x", Speech(wav, text="ab c"), "yz"]
    check(lm.score("a", continuation), plain_log_likelihoods(lm.llm, inputs, ids), ids)


def test_batches_are_as_single_ones(lm, wav, sound):
    pairs = [
        ("a", "b"),
        (["x", wav, "y"], "a long continuation of many tokens"),
        (wav, Speech(sound(0.8, (0.1, 0.5)), text="so")),
        ("c" * 300, "d" * 200),
    ] * 5
    batch = lm.score_pairs(pairs)
    assert len(batch) == len(pairs)
    for pair, found in zip(pairs[:4], batch, strict=False):
        alone = lm.score(*pair)
        assert found.token_id.tolist() == alone.token_id.tolist()
        torch.testing.assert_close(found.per_token, alone.per_token, atol=1e-4, rtol=0)
    assert lm.score_pairs([]) == []


def test_the_first_token_of_all_is_not_predicted(lm, monkeypatch):
    monkeypatch.setattr(lm._sequences, "_start", [])
    monkeypatch.setattr(lm._sequences, "_tokenizer", make_tokenizer(start=False))
    ids = spell(lm, "so")
    expected = plain_log_likelihoods(lm.llm, lm.llm.embed(ids).detach(), ids[1:])
    check(lm.score("", "so"), expected, ids[1:])
    with pytest.raises(ValueError, match="nothing to score"):
        lm.score("", "s")


def test_what_cannot_be_scored_is_refused(lm, wav, sound):
    with pytest.raises(ValueError, match="nothing to score"):
        lm.score("a", "")
    with pytest.raises(ValueError, match="nothing to score"):
        lm.score("a", sound(1.0))
    with pytest.raises(ValueError, match="put the audio into the list itself"):
        lm.score("He said <speech>", "yes")
    with pytest.raises(TypeError, match="neither text nor audio: int"):
        lm.score("a", ["b", 3])
    limit = lm.llm.model.config.max_position_embeddings
    # The tokenizer's start takes one, and the last token need not be read.
    with pytest.raises(ValueError, match=f"takes {limit + 2} positions; the LLM's.*has {limit}"):
        lm.score("a" * limit, "bb")


def test_speech_is_only_a_context_where_vectors_stand_for_no_tokens(make_experiment, wav):
    options = ["--encoder", "tiny", "--encoder_conf", "output_size=8"]
    stack = ["--connector", "stack", "--connector_conf", "num_layers=1"]
    lm = SpeechLM.from_pretrained(make_experiment(*options, *stack, task=SSRLMTask))
    assert lm.score(["a", wav], "bc").num_tokens == 2
    with pytest.raises(ValueError, match="vectors do not stand for a token each"):
        lm.score("a", ["b", Speech(wav, text="ab c")])


def test_a_connector_without_segments_is_told_the_number_of_tokens(make_experiment, wav):
    options = ["--encoder", "tiny", "--encoder_conf", "output_size=8"]
    cif = ["--connector_conf", "num_heads=2", "--connector_conf", "num_layers=1"]
    lm = SpeechLM.from_pretrained(make_experiment(*options, "--connector", "cif", *cif))
    found = lm.score("a", Speech(wav, text="ab c"))
    assert found.token_id.tolist() == spell(lm, " ab c")
    assert lm.score("a", wav).num_tokens == len(lm.embed(wav))
