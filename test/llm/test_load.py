"""The frozen LLM: same figures as transformers', dtype and mode stay, checkpointing is exact."""

import shutil

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel

from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.load import load_language_model, load_llm


@pytest.fixture
def llm(causal_lm):
    return load_language_model(causal_lm)


def rows(*lengths):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, 16, generator=generator) for n in lengths]


def test_states_and_logits_are_those_of_transformers(llm):
    ids = torch.tensor([5, 80, 7, 200])
    found = llm.logits(llm.hidden([llm.embed(ids)])[0])
    torch.testing.assert_close(found, llm.model(input_ids=ids[None]).logits[0])


def test_padding_is_not_seen(llm):
    batch = rows(3, 7, 1)
    hidden = llm.hidden(batch)
    assert hidden.shape == (3, 7, 16)
    for row, states in zip(batch, hidden, strict=True):
        torch.testing.assert_close(states[: len(row)], llm.hidden([row])[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_dtype_stays_whatever_the_model_around_it_is_cast_to(causal_lm, dtype):
    llm = load_language_model(causal_lm, dtype)
    before = {name: p.clone() for name, p in llm.named_parameters()}
    around = torch.nn.ModuleDict({"llm": llm, "connector": torch.nn.Linear(2, 2)})
    around.to(dtype=torch.float16).to(dtype=torch.float32, device="cpu").double()
    assert around["connector"].weight.dtype == torch.float64
    assert llm.dtype == getattr(torch, dtype)
    assert all(torch.equal(p, before[name]) for name, p in llm.named_parameters())
    assert llm.hidden(rows(3)).dtype == llm.dtype


def test_devices_move(llm):
    llm.to(dtype=torch.float64, device="meta")
    assert {p.device.type for p in llm.parameters()} == {"meta"}
    assert llm.dtype == torch.float32


def test_nothing_is_trained_and_nothing_is_random(llm):
    assert not any(p.requires_grad for p in llm.parameters())
    around = torch.nn.Sequential(llm).train()
    assert around.training
    assert not any(module.training for module in llm.modules())


def test_checkpointing_gives_the_same_gradient_with_less_memory(causal_lm):
    def run(gradient_checkpointing):
        llm = load_language_model(causal_lm, gradient_checkpointing=gradient_checkpointing)
        inputs = [row.requires_grad_() for row in rows(5, 3)]
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: kept.append(tensor.numel()) or tensor, lambda tensor: tensor
        ):
            loss = llm.hidden(inputs).square().mean()
        loss.backward()
        return loss, [row.grad for row in inputs], sum(kept)

    (loss, gradients, kept), (loss2, gradients2, kept2) = run(False), run(True)
    torch.testing.assert_close(loss, loss2)
    torch.testing.assert_close(gradients, gradients2)
    assert kept2 < 0.3 * kept


def test_generation_in_a_batch_is_generation_alone(llm):
    batch = rows(2, 6, 4)
    found = llm.generate(batch, stop=[257], max_tokens=8)
    assert found == [llm.generate([row], stop=[257], max_tokens=8)[0] for row in batch]
    assert all(len(ids) <= 8 for ids in found)
    # By hand, for the first one.
    row, expected = batch[0], []
    for _ in range(len(found[0])):
        expected.append(int(llm.logits(llm.hidden([row])[0, -1:]).argmax()))
        row = torch.cat([row, llm.embed(expected[-1:])])
    assert found[0] == expected
    # It stops before the first token of those that stop it.
    assert llm.generate(batch[:1], stop=[257, expected[0]], max_tokens=8) == [[]]


def test_random_weights_need_no_weights(causal_lm, tmp_path):
    shutil.copy(f"{causal_lm}/config.json", tmp_path)
    llm = load_language_model(str(tmp_path), "bfloat16", pretrained=False)
    assert (llm.width, llm.dtype) == (16, torch.bfloat16)
    assert llm.embedding_matrix().shape == (258, 16)
    assert llm.embedding_matrix().dtype == torch.float32


def test_other_families(tmp_path):
    config = GPT2Config(vocab_size=40, n_embd=8, n_layer=2, n_head=2, n_positions=16)
    gpt2 = LanguageModel(GPT2LMHeadModel(config), gradient_checkpointing=True)
    ids = torch.tensor([1, 2, 3])
    torch.testing.assert_close(
        gpt2.logits(gpt2.hidden([gpt2.embed(ids)])[0]), gpt2.model(input_ids=ids[None]).logits[0]
    )
    capped = Gemma2Config(
        vocab_size=40, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, num_key_value_heads=1, head_dim=8,
        final_logit_softcapping=0.01, initializer_range=1.0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="capped"):
        LanguageModel(Gemma2ForCausalLM(capped))


def test_unknown_dtype_is_refused(causal_lm):
    with pytest.raises(ValueError, match="dtype: unknown 'int8'; there are float32"):
        load_llm(causal_lm, "int8")


def test_dictation_is_a_plain_loop(llm):
    """After each vector the likeliest token, which is read before the next vector."""
    before, batch = [3, 60], rows(4, 1, 6)
    found = llm.dictate(before, batch)
    for row, ids in zip(batch, found, strict=True):
        read, expected = llm.embed(before), []
        for vector in row:
            read = torch.cat([read, vector[None]])
            expected.append(int(llm.logits(llm.hidden([read])[0, -1:]).argmax()))
            read = torch.cat([read, llm.embed(expected[-1:])])
        assert ids == expected
    assert len({token for ids in found for token in ids}) > 2
    assert llm.dictate([], batch[:1]) == [llm.dictate([], batch)[0]]
