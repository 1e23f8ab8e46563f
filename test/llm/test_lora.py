"""LoRA: starts as the original, trains its adapters alone, merges, and can be read by peft."""

import pytest
import torch
from peft import PeftModel

from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.load import load_llm
from espnet_ssr.llm.lora import LoraLanguageModel

IDS = torch.tensor([5, 80, 7, 200])


def make(causal_lm, **options):
    torch.manual_seed(0)
    return LoraLanguageModel(load_llm(causal_lm), rank=2, **options)


def logits(llm):
    return llm.logits(llm.hidden([llm.embed(IDS)])[0])


def move_adapters(llm):
    with torch.no_grad():
        for name, parameter in llm.named_parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
                assert "lora_" in name or "modules_to_save" in name


@pytest.fixture
def plain(causal_lm):
    return load_llm(causal_lm)(input_ids=IDS[None]).logits[0].detach()


@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_starts_as_the_original_and_remembers_it(causal_lm, plain, gradient_checkpointing):
    llm = make(causal_lm, gradient_checkpointing=gradient_checkpointing)
    torch.testing.assert_close(logits(llm), plain)
    move_adapters(llm)
    assert not torch.allclose(logits(llm), plain, atol=0.1)
    with torch.no_grad(), llm.original():
        torch.testing.assert_close(logits(llm), plain)
    logits(llm).square().mean().backward()
    trained = {name for name, p in llm.named_parameters() if p.requires_grad}
    assert trained == {name for name, p in llm.named_parameters() if p.grad is not None}
    assert all("lora_" in name for name in trained)


def test_what_is_written_is_not_what_the_original_writes(causal_lm):
    """Decoding uses the adapters: after every way to write, and not only in the logits."""
    llm = make(causal_lm)
    rows = [llm.embed(IDS), llm.embed(IDS.flip(0))]
    with llm.original():
        before = llm.generate(rows, [257], 8), llm.dictate([1], rows)
    assert (llm.generate(rows, [257], 8), llm.dictate([1], rows)) == before
    move_adapters(llm)
    after = llm.generate(rows, [257], 8), llm.dictate([1], rows)
    assert after[0] != before[0] and after[1] != before[1]
    merged = LanguageModel(llm.merge())
    assert (merged.generate(rows, [257], 8), merged.dictate([1], rows)) == after


def test_merged_gives_the_same_logits(causal_lm):
    llm = make(causal_lm)
    move_adapters(llm)
    expected = logits(llm).detach()
    merged = llm.merge()
    assert type(merged) is type(load_llm(causal_lm))
    assert not any("lora" in name for name, _ in merged.named_parameters())
    torch.testing.assert_close(merged(input_ids=IDS[None]).logits[0], expected, atol=1e-4, rtol=0)


def test_peft_reads_what_is_saved(causal_lm, tmp_path):
    llm = make(causal_lm, targets=["q_proj", "v_proj"])
    move_adapters(llm)
    llm.save_adapters(tmp_path)
    read = PeftModel.from_pretrained(load_llm(causal_lm), tmp_path)
    torch.testing.assert_close(read(input_ids=IDS[None]).logits[0], logits(llm))


def test_dropout_in_training_only_and_dtypes_stay(causal_lm):
    llm = make(causal_lm, dropout=0.5).to(torch.float64)
    move_adapters(llm)
    assert llm.dtype == torch.float32
    assert torch.equal(logits(llm.eval()), logits(llm))
    assert not torch.equal(logits(llm.train()), logits(llm))
