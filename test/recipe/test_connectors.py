"""Connectors without segments, training through a real LLM and fine-tuning of it, in a recipe."""

import json

import pytest
import yaml
from mini_recipe import ENCODER, LLM, TEMPLATE, load_weights

from espnet_ssr.datadir import read_keyed

pytestmark = pytest.mark.slow

SMALL = {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "feedforward_size": 32}


def write_lm_config(recipe) -> str:
    """The template's configuration of frame stacking, made small."""
    conf = yaml.safe_load((TEMPLATE / "conf/tuning/lm_stack.yaml").read_text(encoding="utf-8"))
    del conf["trainable_parameters"]
    conf |= {"connector_conf": {"hidden_size": 32}, "max_epoch": 1, "num_workers": 0}
    conf |= {"batch_type": "unsorted", "batch_size": 8}
    (recipe / "conf/lm_mini.yaml").write_text(yaml.safe_dump(conf))
    return "conf/lm_mini.yaml"


def test_distilled_and_trained_through_the_llm(clone):
    distill = clone.write_config("distill_cif", connector="cif", connector_conf=SMALL, max_epoch=1)
    options = ["--skip_data_prep", "true", "--distill_config", distill, "--llm_inference", "true"]
    options += ["--lm_config", write_lm_config(clone), "--inference_nj", "2"]
    output = clone.run(*options).must_succeed()
    assert "stage 9: training through SmolLM2" in output
    tag = f"hmm_{ENCODER}_{LLM}"
    results = {}
    for name in ("distill_cif", "lm_mini"):
        folder = clone / f"exp/{name}_{tag}/decode_llm/test"
        results[name] = json.loads((folder / "result.json").read_text())
        assert list(read_keyed(folder / "text")) == list(read_keyed(clone / "dump/test/text"))
    for result in results.values():
        rows = result["llm"]
        assert rows.keys() == {"connector", "text", "nothing", "other utterance"}
        # What it reads itself it can say again; what nobody trained for more than a moment, not.
        assert rows["text"]["nats_per_token"] < 1 < rows["connector"]["nats_per_token"]
    # Five of 50 frames a second side by side.
    assert results["lm_mini"]["vectors_per_second"] == pytest.approx(10, abs=1)
    # The LLM is in no checkpoint.
    weights = load_weights(clone / f"exp/lm_mini_{tag}/valid.loss.ave.pth")
    assert all(name.startswith("connector.") for name in weights)
    table = (clone / "exp/RESULTS.md").read_text()
    assert "nats" in table
    assert "mini" in table

    again = clone.run(*options).must_succeed()
    assert "wrote exp/lm_mini" not in again
    assert "wrote exp/distill_cif" not in again


def test_fine_tuned(clone):
    (clone / "replay.txt").write_text("Text is what a language model knows.\n" * 9)
    options = ["--skip_data_prep", "true", "--finetune", "kd_replay", "--lm_tag", "mini"]
    options += ["--replay_text", "replay.txt", "--lm_args"]
    options += ["--max_epoch 1 --batch_type unsorted --batch_size 8 --num_workers 0"]
    output = clone.run(*options).must_succeed()
    assert f"stage 9: fine-tuning of {LLM}" in output
    folder = clone / "exp/finetune_kd_replay_mini"
    names = set(load_weights(folder / "valid.loss.ave.pth"))
    assert {name.split(".")[0] for name in names} == {"connector", "llm"}
    assert all("lora_" in name for name in names if name.startswith("llm."))
    result = json.loads((folder / "decode_llm/test/result.json").read_text())
    nats = {row: figures["nats_per_token"] for row, figures in result["continuation"].items()}
    assert nats["text"] < nats["connector"]
    assert "fine-tuned" in (clone / "exp/RESULTS.md").read_text()

    again = clone.run(*options).must_succeed()
    assert "wrote exp/finetune" not in again
    clone.run("--finetune", "kd,lora").must_fail("--finetune kd,lora: not one of conf/tuning/")
