"""Merged LLMs: plain folders of transformers with the logits of the adapters' model."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from espnet_ssr.export.llm import merge_adapters, save_merged
from espnet_ssr.llm.load import load_llm
from espnet_ssr.llm.lora import LoraLanguageModel
from espnet_ssr.speech_lm.folder import find_model
from espnet_ssr.speech_lm.load import read_training
from espnet_ssr.task.lm import SSRLMTask
from espnet_ssr.task.trained import load_trained

IDS = torch.tensor([5, 80, 7, 200])
FEATURES = ["--input_size", "8", "--lora_conf", "rank=2"]


@torch.no_grad()
def trained_logits(files):
    llm = load_trained(read_training(files), files.model_file)[1].eval()
    return llm.logits(llm.hidden([llm.embed(IDS)])[0])


@pytest.mark.parametrize(
    "options",
    [
        ["--finetune", "lora", *FEATURES],
        ["--finetune", "lora", *FEATURES, "--lora_conf", "modules_to_save=[lm_head]"],
        ["--finetune", "vanilla", *FEATURES[:2]],
    ],
    ids=["lora", "lora and output layer", "vanilla"],
)
def test_plain_transformers_gives_the_same_logits(options, make_experiment, causal_lm, tmp_path):
    files = find_model(make_experiment(*options, task=SSRLMTask))
    save_merged(files, tmp_path / "llm")
    save_merged(files, tmp_path / "llm")  # once more, in its place
    llm = AutoModelForCausalLM.from_pretrained(tmp_path / "llm")
    logits = llm(input_ids=IDS[None]).logits[0].detach()
    torch.testing.assert_close(logits, trained_logits(files), atol=1e-4, rtol=0)
    plain = load_llm(causal_lm)(input_ids=IDS[None]).logits[0]
    assert not torch.allclose(logits, plain, atol=0.1)
    assert type(llm).__name__ == "LlamaForCausalLM"
    assert not any("lora" in name for name, _ in llm.named_parameters())
    assert (tmp_path / "llm" / "model.safetensors").is_file()
    found, expected = (AutoTokenizer.from_pretrained(f) for f in (tmp_path / "llm", causal_lm))
    assert found("He said.").input_ids == expected("He said.").input_ids


def test_bfloat16_is_rounded_once(causal_lm):
    torch.manual_seed(0)
    llm = LoraLanguageModel(load_llm(causal_lm, "bfloat16"), rank=2)
    changed = llm.model.model.layers[0].self_attn.q_proj
    torch.nn.init.normal_(changed.lora_B["default"].weight, std=1e-3)
    whole = changed.weight.float() + changed.get_delta_weight("default").float()
    merged = merge_adapters(llm).model.layers[0].self_attn.q_proj.weight
    assert torch.equal(merged, whole.detach().bfloat16())


def test_refused(make_experiment, tmp_path):
    untrained = find_model(make_experiment("--input_size", "8"))
    with pytest.raises(ValueError, match="the LLM was not trained: it is .*causal_lm"):
        save_merged(untrained, tmp_path / "llm")
    (tmp_path / "precious").mkdir()
    with pytest.raises(FileExistsError, match="precious is there already and no model"):
        save_merged(untrained, tmp_path / "precious")
