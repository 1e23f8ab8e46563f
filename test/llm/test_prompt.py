"""What stands around the vectors: tokenizers' conventions, and which states predict the targets."""

import pytest
import torch
from tiny_causal_lm import END, START, make_tokenizer

from espnet_ssr.llm.load import load_language_model
from espnet_ssr.llm.prompt import (
    Dictation,
    Prompt,
    make_prompt,
    predicting_states,
    start_tokens,
    stop_tokens,
    text_row,
)


@pytest.fixture(scope="module")
def llm(causal_lm):
    return load_language_model(causal_lm)


def spell(tokenizer, text):
    return tokenizer(text, add_special_tokens=False).input_ids


@pytest.mark.parametrize("start", [True, False])
def test_the_tokenizers_start_comes_first_and_once(start):
    tokenizer = make_tokenizer(start)
    first = [tokenizer.bos_token_id] * start
    assert start_tokens(tokenizer) == first
    prompt = Prompt(tokenizer, "Say:<speech>\nAgain:<text>")
    assert prompt.before == first + spell(tokenizer, "Say:")
    assert prompt.after == spell(tokenizer, "\nAgain:")
    assert prompt.end == []
    given = Prompt(tokenizer, f"{START}Say:<speech>\n<text>{END}")
    assert given.before == [tokenizer.bos_token_id] + spell(tokenizer, "Say:")
    assert given.end == [tokenizer.eos_token_id]


def test_something_must_stand_before_the_transcript():
    with pytest.raises(ValueError, match="give a text before or after <speech>"):
        Prompt(make_tokenizer(start=False), "<speech><text>")
    assert Prompt(make_tokenizer(start=True), "<speech><text>").before


@pytest.mark.parametrize(
    "template", ["", "<text>", "<text><speech>", "<speech>.", "<speech><speech><text>"]
)
def test_templates_of_another_form_are_refused(template):
    with pytest.raises(ValueError, match="it must be"):
        Prompt(make_tokenizer(start=True), template)


def test_stop_tokens():
    tokenizer = make_tokenizer(start=False)
    assert stop_tokens(tokenizer) == sorted([*spell(tokenizer, "\n"), tokenizer.eos_token_id])


def test_states_are_those_that_predict_the_targets(llm):
    prompt = Prompt(make_tokenizer(start=True), "a<speech>bc<text>")
    vectors = [torch.randn(3, 16), torch.randn(0, 16), torch.randn(5, 16)]
    targets = [torch.tensor(ids) for ids in ([4, 5, 6], [7], [8, 9])]
    rows = [prompt.fill(v, ids, llm) for v, ids in zip(vectors, targets, strict=True)]
    found = predicting_states(rows, llm).split([3, 1, 2])
    for vector, ids, states in zip(vectors, targets, found, strict=True):
        parts = [llm.embed(prompt.before), vector, llm.embed(prompt.after), llm.embed(ids)]
        whole = llm.model.model(inputs_embeds=torch.cat(parts)[None]).last_hidden_state[0]
        torch.testing.assert_close(states, whole[-len(ids) - 1 : -1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("start", "before"), [(True, ""), (False, ""), (False, "ab")])
def test_continuation_is_predicted_from_the_vectors_before(llm, start, before):
    prompt = Prompt(make_tokenizer(start), f"{before}<speech>")
    vectors, ids = torch.randn(4, 16), torch.tensor([4, 5, 6, 7])
    row = prompt.fill(vectors, ids, llm)
    whole = torch.cat([llm.embed(prompt.before), vectors])
    states = llm.hidden([whole])[0][:-1]
    first = 0 if start or before else 1  # with nothing before it there is no state to predict from
    torch.testing.assert_close(row.targets, ids[first:])
    expected = states[len(whole) - 1 - len(ids[first:]) :]
    torch.testing.assert_close(predicting_states([row], llm), expected, rtol=1e-4, atol=1e-5)


def test_text_alone(llm):
    ids = torch.tensor([4, 5, 6])
    row = text_row(ids, llm)
    states = llm.model.model(input_ids=ids[None]).last_hidden_state[0, :-1]
    torch.testing.assert_close(predicting_states([row], llm), states, rtol=1e-4, atol=1e-5)
    assert row.targets.tolist() == [5, 6]


def test_prompt_of_the_real_model(installed_model):
    from espnet_ssr.llm.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(installed_model("SmolLM2-135M-Instruct-q4_1"))
    prompt = Prompt(tokenizer)
    assert tokenizer.decode(prompt.end) == "\n"
    assert set(prompt.end) <= set(stop_tokens(tokenizer))
    assert tokenizer.eos_token_id in stop_tokens(tokenizer)


def test_rows_of_any_length_are_read_as_if_alone(llm):
    """Rows are read in buckets of like length; nothing is lost and the order stays."""
    prompt = Prompt(make_tokenizer(start=True), "ab<speech>c<text>")
    generator = torch.Generator().manual_seed(0)
    ids = [torch.arange(3, 3 + length) for length in (40, 1, 3, 12, 2)]
    rows = [prompt.fill(torch.randn(len(i), llm.width, generator=generator), i, llm) for i in ids]
    # One token and nothing before it: there is nothing to predict.
    rows.insert(2, text_row(torch.tensor([5]), llm))
    alone = torch.cat([predicting_states([row], llm) for row in rows])
    assert len(alone) == sum(map(len, ids))
    torch.testing.assert_close(predicting_states(rows, llm), alone)


def test_dictation_predicts_each_token_from_its_vector_and_all_before(llm):
    tokenizer = make_tokenizer(start=True)
    prompt = make_prompt(tokenizer, "Say:<dictated>")
    assert isinstance(prompt, Dictation)
    ids = torch.tensor([30, 10, 70])
    vectors = torch.randn(3, llm.width, generator=torch.Generator().manual_seed(0))
    row = prompt.fill(vectors, ids, llm)
    parts = [llm.embed(prompt.before)]
    for vector, token in zip(vectors, ids, strict=True):
        parts += [vector[None], llm.embed([int(token)])]
    states = llm.hidden([torch.cat(parts)])[0]
    first = len(prompt.before)
    torch.testing.assert_close(predicting_states([row], llm), states[first::2])
    assert torch.equal(row.targets, ids)


def test_one_token_is_dictated(llm):
    prompt = Dictation(make_tokenizer(start=False), "<dictated>")
    row = prompt.fill(torch.zeros(1, llm.width), torch.tensor([5]), llm)
    assert len(predicting_states([row], llm)) == 1


@pytest.mark.parametrize("template", ["Say:", "<dictated>!"])
def test_dictations_of_another_form_are_refused(template):
    with pytest.raises(ValueError, match=r"it must be '\.\.\.<dictated>'"):
        Dictation(make_tokenizer(start=True), template)
