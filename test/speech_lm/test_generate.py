"""What is written: against a plain loop of transformers; streams, limits, marks, chats."""

import logging
from types import SimpleNamespace

import pytest
import torch

from espnet_ssr.speech_lm.generate import find_stop_tokens, stream_text

CHAT = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[you]{% endif %}"
)


@pytest.fixture(scope="module")
def wav(sound):
    return sound(1.2, (0.2, 0.4), (0.6, 1.0))


@torch.no_grad()
def plain_loop(lm, max_tokens, stop, *parts):
    """Texts and vectors in, the likeliest tokens out, everything computed anew for each."""
    rows = [lm.llm.embed([lm.tokenizer.bos_token_id])]
    for part in parts:
        if isinstance(part, str):
            part = lm.llm.embed(lm.tokenizer(part, add_special_tokens=False).input_ids)
        rows.append(part)
    inputs, found = torch.cat(rows), []
    for _ in range(max_tokens):
        token = int(lm.llm.model(inputs_embeds=inputs[None]).logits[0, -1].argmax())
        if token in stop:
            break
        found.append(token)
        inputs = torch.cat([inputs, lm.llm.embed([token])])
    return lm.tokenizer.decode(found, skip_special_tokens=True)


@pytest.fixture(scope="module")
def stop(lm):
    return set(find_stop_tokens(lm.llm, lm.tokenizer, stop_at_newline=True))


def test_generation_after_speech_in_the_middle(lm, wav, stop):
    expected = plain_loop(lm, 20, stop, "He said", lm.embed(wav), ". So")
    assert lm.generate("He said<speech>. So", [wav], max_tokens=20) == expected != ""
    two = plain_loop(lm, 20, stop, lm.embed(wav), "or", lm.embed(wav))
    assert lm.generate("<speech>or<speech>", [wav, wav], max_tokens=20) == two
    assert lm.generate("Text", max_tokens=20) == plain_loop(lm, 20, stop, "Text")


def test_batches_are_as_single_ones(lm, wav, sound):
    prompts = ["He said<speech>. So", "Text alone", "<speech><speech>", "a much longer one<speech>"]
    speech = [[wav], [], [wav, sound(0.5, (0.1, 0.3))], [sound(2.0, (1.0, 2.0))]]
    found = lm.generate(prompts, speech, max_tokens=12)
    assert found == [lm.generate(p, s, max_tokens=12) for p, s in zip(prompts, speech, strict=True)]
    assert lm.generate([], []) == []


def test_streams_give_the_same_text(lm, wav):
    for prompt, speech in [("He said<speech>. So", [wav]), ("Text", []), ("Other text", [])]:
        pieces = lm.generate(prompt, speech, max_tokens=30, stream=True)
        assert iter(pieces) is pieces
        pieces = list(pieces)
        assert all(pieces)
        assert "".join(pieces) == lm.generate(prompt, speech, max_tokens=30)


def test_pieces_have_whole_characters(lm):
    ids = lm.tokenizer("né 語x", add_special_tokens=False).input_ids
    assert list(stream_text(ids, lm.tokenizer)) == ["n", "é", " ", "語", "x"]
    assert list(stream_text(ids[:2], lm.tokenizer)) == ["n", "\N{REPLACEMENT CHARACTER}"]


def test_stop_tokens(lm):
    newline = lm.tokenizer("\n", add_special_tokens=False).input_ids
    end = lm.tokenizer.eos_token_id
    own = lm.llm.model.generation_config.eos_token_id
    assert find_stop_tokens(lm.llm, lm.tokenizer, False) == sorted({end, own})
    assert find_stop_tokens(lm.llm, lm.tokenizer, True) == sorted({end, own, *newline})
    config = SimpleNamespace(eos_token_id=[5, 6])
    llm = SimpleNamespace(model=SimpleNamespace(generation_config=config))
    assert find_stop_tokens(llm, lm.tokenizer, False) == sorted({end, 5, 6})


@pytest.mark.parametrize(
    ("prompt", "number", "marks"),
    [("Transcribe:", 1, 0), ("<speech><speech>", 1, 2), ("<speech>", 0, 1), ("<speech>", 2, 1)],
)
def test_a_mark_for_each_utterance(lm, wav, prompt, number, marks):
    message = f"has {marks} <speech> for {number} utterances: it needs one for each"
    with pytest.raises(ValueError, match=message):
        lm.generate(prompt, [wav] * number)


def test_what_cannot_be_generated_is_refused(lm, wav):
    limit = lm.llm.model.config.max_position_embeddings
    with pytest.raises(ValueError, match=f"takes {limit + 2} positions; the LLM's.*has {limit}"):
        lm.generate("a" * limit)
    with pytest.raises(ValueError, match="max_tokens must be at least 1"):
        lm.generate("a", max_tokens=0)
    with pytest.raises(ValueError, match="one prompt at a time"):
        lm.generate(["a"], [[]], stream=True)
    with pytest.raises(ValueError, match="2 prompts, but speech for 1"):
        lm.generate(["a<speech>", "b<speech>"], [[wav]])
    with pytest.raises(TypeError, match="speech: a list of utterances, not ndarray"):
        lm.generate("a<speech>", wav)


def test_writing_ends_where_the_context_does(lm, monkeypatch):
    monkeypatch.setattr(lm._sequences, "limit", 10)
    # The tokenizer's start and 6 letters leave room for 3.
    assert lm.generate("abcdef", max_tokens=100) == lm.generate("abcdef", max_tokens=3)
    assert lm.generate("abcdef", max_tokens=2) != lm.generate("abcdef", max_tokens=3)


def test_silence_is_read_as_nothing_and_logged(lm, sound, wav, caplog):
    with caplog.at_level(logging.WARNING):
        found = lm.generate("<speech>He<speech> said", [wav, sound(2.0)], max_tokens=5)
    assert caplog.messages == ["speech[1]: no words are heard: the LLM reads nothing for it"]
    assert found == lm.generate("<speech>He said", [wav], max_tokens=5)


def test_prompts_of_the_training(lm, wav):
    assert lm.prompts["transcribe"] == "She said:<speech>\nHe repeated:"
    assert isinstance(lm.generate(lm.prompts["transcribe"], [wav], max_tokens=3), str)


def test_chat(lm, wav, monkeypatch):
    messages = [
        {"role": "system", "content": "Be\nbrief."},
        {"role": "user", "content": "What? <speech>"},
    ]
    with pytest.raises(ValueError, match="no chat template: use generate"):
        lm.chat(messages, [wav])
    monkeypatch.setattr(lm.tokenizer, "chat_template", CHAT)
    prompt = "[system]Be\nbrief.[user]What? <speech>[you]"
    expected = lm.generate(prompt, [wav], max_tokens=9, stop_at_newline=False)
    assert lm.chat(messages, [wav], max_tokens=9) == expected
    assert "".join(lm.chat(messages, [wav], max_tokens=9, stream=True)) == expected
    with pytest.raises(ValueError, match="has 1 <speech> for 0 utterances"):
        lm.chat(messages)
