"""The distillation task: every shipped configuration builds, every unknown option is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from espnet_ssr.bin import ssr_distill_inference
from espnet_ssr.connector import CONNECTORS
from espnet_ssr.encoder import TinyEncoder
from espnet_ssr.task.distill import SSRDistillTask

RECIPES = Path(__file__).resolve().parents[2] / "egs2"


def recipe_configs(*patterns):
    """Files, each once: a recipe's conf may be a link to the template's."""
    found = {path.resolve() for pattern in patterns for path in RECIPES.glob(pattern)}
    return [pytest.param(path, id=str(path.relative_to(RECIPES))) for path in sorted(found)]


TRAINING = recipe_configs("*/*/conf/tuning/distill*.yaml", "*/*/conf/distill*.yaml")
# Of local/compare_connectors.sh.
COMPARED = [
    param
    for param in recipe_configs("TEMPLATE/ssr1/conf/tuning/distill*.yaml")
    if param.values[0].stem != "distill_ssr_hull"
]
ALIGNING = recipe_configs("*/*/conf/tuning/align*.yaml", "*/*/conf/align*.yaml")  # test_align.py
# In test_lm.py.
THROUGH_LLM = recipe_configs("*/*/conf/tuning/lm*.yaml", "*/*/conf/tuning/finetune*.yaml")
DECODING = recipe_configs("*/*/conf/decode*.yaml", "*/*/conf/tuning/decode*.yaml")
CHOOSING = recipe_configs("*/*/conf/choice*.yaml")  # evaluate/choice/test_experiment.py


def parse(llm, *options):
    command = ["--output_dir", "exp", "--llm", llm, *options]
    return SSRDistillTask.get_parser().parse_args(command)


def test_every_configuration_is_tested_here():
    known = {param.values[0] for param in TRAINING + THROUGH_LLM + DECODING + ALIGNING + CHOOSING}
    everything = {
        path.resolve()
        for pattern in ("*/*/conf/*.yaml", "*/*/conf/tuning/*.yaml")
        for path in RECIPES.glob(pattern)
    }
    assert known == everything
    assert TRAINING
    assert DECODING


@pytest.mark.parametrize("config", TRAINING)
def test_training_configuration_builds_a_model(config, causal_lm):
    args = parse(causal_lm, "--config", str(config), "--input_size", "8")
    model = SSRDistillTask.build_model(args)
    optimizers = SSRDistillTask.build_optimizers(args, model)
    written = yaml.safe_load(config.read_text(encoding="utf-8"))
    assert type(model.connector) is CONNECTORS[written["connector"]]
    assert optimizers[0].param_groups[0]["lr"] == written["optim_conf"]["lr"]
    model.eval()
    batch = {
        "feats": torch.randn(1, 9, 8),
        "feats_lengths": torch.tensor([9]),
        "token_id": torch.tensor([[1, 2]]),
        "token_id_lengths": torch.tensor([2]),
        "token_end": torch.tensor([[0.06, 0.18]]),
    }
    loss, stats, _ = model(**batch)
    assert loss.isfinite()
    # Checkpoints are chosen by figures that there are.
    assert {name for _, name, _ in written["best_model_criterion"]} <= set(stats)


def test_configurations_are_matched():
    """What is compared differs in the connector alone: parameters within 10 %, the rest equal."""
    rest, sizes = [], {}
    for param in COMPARED:
        written = yaml.safe_load(param.values[0].read_text(encoding="utf-8"))
        make, conf = CONNECTORS[written.pop("connector")], written.pop("connector_conf")
        sizes[param.id] = sum(p.numel() for p in make(384, 576, **conf).parameters())
        rest.append(written)
    assert all(other == rest[0] for other in rest)
    assert max(sizes.values()) <= 1.1 * min(sizes.values()), sizes


@pytest.mark.parametrize("config", DECODING)
def test_inference_configuration_parses(config, monkeypatch, capsys):
    names = ("model_file", "seg_dir", "reference", "train_token_id", "output_dir")
    files = [f"--{name}" for name in names]
    command = [part for option in files for part in (option, "none")]
    monkeypatch.setattr(sys, "argv", ["ssr_distill_inference", "--config", str(config), *command])
    with pytest.raises(SystemExit):
        ssr_distill_inference.main()
    # What comes after the options were understood.
    assert "give either --feats_scp or --wav_scp" in capsys.readouterr().err


def test_unknown_option_in_a_file_is_refused_by_name(tmp_path, tiny_llm, capsys):
    config = tmp_path / "config.yaml"
    config.write_text("connector: mean\nlearning_rate: 0.1\n")
    with pytest.raises(SystemExit):
        parse(tiny_llm, "--config", str(config))
    assert "unrecognized arguments: learning_rate" in capsys.readouterr().err


@pytest.mark.parametrize("connector", ["ssr", "mean"])
@pytest.mark.parametrize("in_file", [True, False], ids=["file", "command line"])
@pytest.mark.parametrize("option", ["connector_conf", "model_conf", "encoder_conf"])
def test_unknown_key_is_refused_by_name(tmp_path, tiny_llm, option, in_file, connector):
    command = ["--connector", connector, "--encoder", "tiny"]
    if in_file:
        config = tmp_path / "config.yaml"
        config.write_text(f"{option}:\n    hiden_size: 8\n")
        command += ["--config", str(config)]
    else:
        command += [f"--{option}", "hiden_size=8"]
    with pytest.raises(ValueError, match=f"{option}: unknown option hiden_size; .* takes"):
        SSRDistillTask.build_model(parse(tiny_llm, *command))


@pytest.mark.parametrize("key", ["input_size", "output_size"])
def test_what_the_task_decides_cannot_be_set(tiny_llm, key):
    args = parse(tiny_llm, "--encoder", "tiny", "--connector_conf", f"{key}=8")
    with pytest.raises(ValueError, match=f"connector_conf: unknown option {key}"):
        SSRDistillTask.build_model(args)


def test_sizes_and_rate_come_from_the_encoder(tiny_llm, embedding_matrix):
    options = ["--encoder", "tiny", "--encoder_conf", "output_size=24", "--frame_rate", "10"]
    model = SSRDistillTask.build_model(parse(tiny_llm, *options, "--connector", "mean"))
    assert isinstance(model.encoder, TinyEncoder)
    assert model.frame_rate == TinyEncoder.frame_rate
    assert model.connector.mlp[0].normalized_shape == ((24 * 3 + 1) * 3,)
    assert model.connector.output_size() == embedding_matrix.size(1)


def test_sizes_and_rate_of_extracted_features(tiny_llm):
    options = ["--input_size", "24", "--frame_rate", "10", "--connector", "ssr"]
    model = SSRDistillTask.build_model(parse(tiny_llm, *options))
    assert model.encoder is None
    assert model.frame_rate == 10
    assert model.connector.input[0].normalized_shape == (24,)


def test_options_of_the_loss_arrive(tiny_llm):
    options = ["--input_size", "8", "--model_conf", "losses.info_nce=0.5"]
    options += ["--model_conf", "losses.mse=0", "--model_conf", "temperature=0.2"]
    objective = SSRDistillTask.build_model(parse(tiny_llm, *options)).objective
    assert objective.weights == {"info_nce": 0.5}
    assert objective.temperature == 0.2


def test_masks_never_warp_time(tiny_llm):
    options = ["--input_size", "8", "--specaug_conf", "time_mask_width_range=[0,5]"]
    specaug = SSRDistillTask.build_model(parse(tiny_llm, *options)).specaug
    assert specaug.time_warp is None
    assert specaug.time_mask.mask_width_range == [0, 5]
    with pytest.raises(ValueError, match="specaug_conf: unknown option apply_time_warp"):
        SSRDistillTask.build_model(
            parse(tiny_llm, *options, "--specaug_conf", "apply_time_warp=true")
        )


def test_boundaries_are_moved_in_training_only(tiny_llm):
    args = parse(tiny_llm, "--input_size", "8", "--jitter", "0.1")
    data = {"token_end": np.arange(1.0, 9.0)}
    moved = SSRDistillTask.build_preprocess_fn(args, train=True)("utt", data)["token_end"]
    kept = SSRDistillTask.build_preprocess_fn(args, train=False)("utt", data)["token_end"]
    assert not np.array_equal(moved, data["token_end"])
    np.testing.assert_array_equal(kept, data["token_end"])


def test_number_of_parameters_is_held_to_the_config(tiny_llm):
    options = ["--input_size", "8", "--trainable_parameters"]
    number = sum(
        p.numel()
        for p in SSRDistillTask.build_model(parse(tiny_llm, *options[:2])).parameters()
        if p.requires_grad
    )
    SSRDistillTask.build_model(parse(tiny_llm, *options, str(number)))
    with pytest.raises(ValueError, match=f"has {number} trainable .* says .*: {2 * number}"):
        SSRDistillTask.build_model(parse(tiny_llm, *options, str(2 * number)))


def test_data_names():
    assert SSRDistillTask.required_data_names() == ("token_id", "token_end")
    assert SSRDistillTask.required_data_names(inference=True) == ("token_end",)
    assert SSRDistillTask.optional_data_names() == ("feats", "speech", "pause")
