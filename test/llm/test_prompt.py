"""What stands around the vectors: tokenizers' conventions, and which states predict the targets."""

import pytest
import torch
from tiny_causal_lm import END, START, make_tokenizer

from espnet_ssr.llm.load import load_frozen_llm
from espnet_ssr.llm.prompt import Prompt, start_tokens, stop_tokens


@pytest.fixture(scope="module")
def llm(causal_lm):
    return load_frozen_llm(causal_lm)


def spell(tokenizer, text):
    return tokenizer(text, add_special_tokens=False).input_ids


@pytest.mark.parametrize("start", [True, False])
def test_the_tokenizers_start_comes_first_and_once(start):
    tokenizer = make_tokenizer(start)
    first = [tokenizer.bos_token_id] * start
    assert start_tokens(tokenizer) == first
    prompt = Prompt(tokenizer, "Say:", "\nAgain:", "")
    assert prompt.before == first + spell(tokenizer, "Say:")
    assert prompt.after == spell(tokenizer, "\nAgain:")
    assert prompt.end == []
    given = Prompt(tokenizer, f"{START}Say:", "\n", END)
    assert given.before == [tokenizer.bos_token_id] + spell(tokenizer, "Say:")
    assert given.end == [tokenizer.eos_token_id]


def test_something_must_stand_before_the_transcript():
    with pytest.raises(ValueError, match="prompt_conf: give a text"):
        Prompt(make_tokenizer(start=False), "", "")
    assert Prompt(make_tokenizer(start=True), "", "").before


def test_stop_tokens():
    tokenizer = make_tokenizer(start=False)
    assert stop_tokens(tokenizer) == sorted([*spell(tokenizer, "\n"), tokenizer.eos_token_id])


def test_states_are_those_that_predict_the_targets(llm):
    prompt = Prompt(make_tokenizer(start=True), "a", "bc")
    vectors = [torch.randn(3, 16), torch.randn(0, 16), torch.randn(5, 16)]
    targets = [torch.tensor(ids) for ids in ([4, 5, 6], [7], [8, 9])]
    found = prompt.states(vectors, targets, llm).split([3, 1, 2])
    for vector, ids, states in zip(vectors, targets, found, strict=True):
        parts = [llm.embed(prompt.before), vector, llm.embed(prompt.after), llm.embed(ids)]
        whole = llm.model.model(inputs_embeds=torch.cat(parts)[None]).last_hidden_state[0]
        torch.testing.assert_close(states, whole[-len(ids) - 1 : -1], rtol=1e-4, atol=1e-5)


def test_prompt_of_the_real_model(installed_model):
    from espnet_ssr.llm.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(installed_model("SmolLM2-135M-Instruct-q4_1"))
    prompt = Prompt(tokenizer)
    assert tokenizer.decode(prompt.end) == "\n"
    assert set(prompt.end) <= set(stop_tokens(tokenizer))
    assert tokenizer.eos_token_id in stop_tokens(tokenizer)
