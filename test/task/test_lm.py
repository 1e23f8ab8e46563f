"""The task that trains through the LLM: configurations, parameters, weights from distillation."""

import argparse
import logging
import sys
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import torch
import yaml
from espnet2.torch_utils.load_pretrained_model import load_pretrained_model

from espnet_ssr.align.labels import TokenLabels
from espnet_ssr.align.trained import build_network
from espnet_ssr.datadir import write_keyed
from espnet_ssr.task.distill import SSRDistillTask
from espnet_ssr.task.lm import SSRLMTask, complete_options
from espnet_ssr.task.trained import load_trained

RECIPES = Path(__file__).resolve().parents[2] / "egs2"
CONFIGS = sorted(RECIPES.glob("TEMPLATE/*/conf/tuning/lm_*.yaml"))
FINETUNING = sorted(RECIPES.glob("TEMPLATE/*/conf/tuning/finetune_*.yaml"))
SMALL = ["--connector", "mean", "--connector_conf", "hidden_size=8", "--input_size", "8"]
HULL = ["--head", "hull", "--head_conf", "key_size=8", "--head_conf", "channels=8"]


def parse(llm, *options, task=SSRLMTask):
    args = task.get_parser().parse_args(["--output_dir", "exp", "--llm", llm, *options])
    if task is SSRLMTask:
        complete_options(args)
    return args


@pytest.fixture(scope="module")
def aligner(tmp_path_factory, causal_lm):
    """The checkpoint of an untrained CTC aligner of the LLM's tokens."""
    path = tmp_path_factory.mktemp("aligner")
    labels = TokenLabels.build(["ab"], causal_lm)
    conf = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "feedforward_size": 8}
    network = build_network("ctc", conf, 8, labels)
    config = {"aligner": "ctc", "aligner_conf": conf, "input_size": 8}
    config |= {"frame_rate": 50.0, "frame_offset": 0.0}
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    labels.save(path / "labels.json")
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, path / "model.pth")
    return str(path / "model.pth")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_training_configuration_builds_a_model(config, causal_lm, aligner):
    args = parse(causal_lm, "--config", str(config), "--input_size", "8")
    if "aligner" in args.connector_conf:
        args.connector_conf["aligner"] = aligner
    # What the file says is for the default encoder and LLM, not for the tiny ones.
    args.trainable_parameters = None
    model = SSRLMTask.build_model(args)
    SSRLMTask.build_optimizers(args, model)
    batch = {
        "feats": torch.randn(1, 9, 8),
        "feats_lengths": torch.tensor([9]),
        "token_id": torch.tensor([[1, 2]]),
        "token_id_lengths": torch.tensor([2]),
        "token_end": torch.tensor([[0.06, 0.18]]),
    }
    loss, stats, _ = model.eval()(**batch)
    assert loss.isfinite()
    written = yaml.safe_load(config.read_text(encoding="utf-8"))
    assert {name for _, name, _ in written["best_model_criterion"]} <= set(stats)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("llm_conf", "unknown option hiden_size; load_language_model takes dtype"),
        ("lora_conf", "unknown option hiden_size; LoraLanguageModel takes rank"),
        ("model_conf", "unknown option hiden_size; SSRLMModel takes losses"),
        ("connector_conf", "unknown option hiden_size; MeanConnector takes"),
    ],
)
def test_unknown_key_is_refused_by_name(causal_lm, option, message):
    with pytest.raises(ValueError, match=f"{option}: {message}"):
        finetune = ["--finetune", "lora"] * (option == "lora_conf")
        SSRLMTask.build_model(parse(causal_lm, *SMALL, *finetune, f"--{option}", "hiden_size=8"))


def test_options_arrive_and_parameters_are_counted(causal_lm, caplog):
    options = [
        "--llm_conf",
        "dtype=bfloat16",
        "--tasks",
        "repeat=1",
        "--prompts",
        "repeat=a<speech>x<text>",
        "--model_conf",
        'losses={"kl":1}',
    ]
    with caplog.at_level(logging.INFO):
        model = SSRLMTask.build_model(parse(causal_lm, *SMALL, *options))
    assert model.llm.dtype == torch.bfloat16
    assert model.prompts["repeat"].template == "a<speech>x<text>"
    assert model.losses == {"kl": 1}
    trainable = sum(p.numel() for p in model.connector.parameters())
    frozen = sum(p.numel() for p in model.llm.parameters())
    assert f"{trainable} trainable parameters, {frozen} frozen ones" in caplog.text
    with pytest.raises(ValueError, match=f"has {trainable} trainable parameters"):
        SSRLMTask.build_model(parse(causal_lm, *SMALL, "--trainable_parameters", "7"))


def test_data_names():
    assert SSRLMTask.required_data_names() == ("token_id",)
    assert SSRLMTask.required_data_names(inference=True) == ()
    assert set(SSRLMTask.optional_data_names()) == {"token_end", "feats", "speech", "pause"}


@pytest.fixture
def distilled(causal_lm, tmp_path):
    """A checkpoint of a distilled connector."""
    model = SSRDistillTask.build_model(parse(causal_lm, *SMALL, task=SSRDistillTask))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_()
    torch.save(model.state_dict(), tmp_path / "distilled.pth")
    return tmp_path / "distilled.pth", model.connector


@pytest.mark.parametrize("config", FINETUNING, ids=lambda path: path.stem)
def test_fine_tuning_configuration_builds_a_model(config, causal_lm, distilled, tmp_path, caplog):
    path, connector = distilled
    conf = {"connector": "mean", "connector_conf": {"hidden_size": 8}}
    (path.parent / "config.yaml").write_text(yaml.safe_dump(conf))
    (tmp_path / "text").write_text("Some text.\n")
    options = ["--config", str(config), "--input_size", "8", "--distilled", str(path)]
    written = yaml.safe_load(config.read_text(encoding="utf-8"))
    if "replay_conf" in written:
        options += ["--replay_conf", f"file={tmp_path / 'text'}"]
    # The rank is for a real LLM: of the tiny one it would train most.
    args = parse(causal_lm, *options, *["--lora_conf", "rank=1"] * ("lora_conf" in written))
    assert args.init_param == [f"{path}:connector:connector"]
    with caplog.at_level(logging.INFO):
        model = SSRLMTask.build_model(args)
    SSRLMTask.build_optimizers(args, model)
    size = sum(p.numel() for p in connector.parameters())
    trained = size if written["train_connector"] else 0
    assert f"connector: {trained} of {size} parameters are trained" in caplog.text
    names = {name for name, p in model.llm.named_parameters() if p.requires_grad}
    adapters = {name for name in names if "lora_" in name}
    assert adapters == (names if written["finetune"] == "lora" else set())
    example = {"token_id": np.arange(40), "feats": np.zeros((50, 8), dtype="float32")}
    prepare = SSRLMTask.build_preprocess_fn(args, train=True)
    assert ("replay_id" in prepare("a", example)) == ("replay_conf" in written)
    batch = {
        "feats": torch.randn(1, 9, 8),
        "feats_lengths": torch.tensor([9]),
        "token_id": torch.tensor([[1, 2]]),
        "token_id_lengths": torch.tensor([2]),
        "token_end": torch.tensor([[0.06, 0.18]]),
    }
    loss, stats, _ = model.eval()(**batch)
    loss.backward()
    assert {name for _, name, _ in written["best_model_criterion"]} <= set(stats)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train_connector", "false"], "the connector has nothing to be trained|nothing would"),
        (["--lora_conf", "rank=4"], "lora_conf is for finetune: lora, not none"),
        (["--finetune", "lora", "--lora_conf", "rank=99"], "of the LLM would be trained; smaller"),
        (["--finetune", "vanilla", "--llm_conf", "dtype=bfloat16"], "small updates are lost"),
    ],
)
def test_what_would_be_trained_by_mistake_is_refused(causal_lm, options, message):
    with pytest.raises(ValueError, match=message):
        SSRLMTask.build_model(parse(causal_lm, *SMALL, *options))


def test_a_distilled_connector_is_a_start(causal_lm, distilled):
    path, connector = distilled
    option = f"{path}:connector:connector"
    args = parse(causal_lm, *SMALL, "--init_param", option)
    model = SSRLMTask.build_model(args)
    SSRLMTask.build_optimizers(args, model)
    load_pretrained_model(option, model, ignore_init_mismatch=False)
    for name, weight in connector.state_dict().items():
        assert torch.equal(model.connector.state_dict()[name], weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--connector_conf", "num_layers=3"], "missing"),
        (["--connector_conf", "num_layers=1"], "unexpected"),
        (["--connector_conf", "hidden_size=9"], "wrong shape"),
    ],
)
def test_what_does_not_fill_the_connector_is_refused(causal_lm, distilled, options, message):
    args = parse(causal_lm, *SMALL, *options, "--init_param", f"{distilled[0]}:connector:connector")
    model = SSRLMTask.build_model(args)
    with pytest.raises(RuntimeError, match=f"--init_param .*distilled.pth.*{message}"):
        SSRLMTask.build_optimizers(args, model)
    args.init_param = [f"{distilled[0]}:conector:connector"]
    with pytest.raises(RuntimeError, match="missing"):
        SSRLMTask.build_optimizers(args, model)


@pytest.fixture
def data(tmp_path):
    """Options that name the data of a training set and of a validation set, which are the same."""
    rng = np.random.default_rng(0)
    feats = {f"u{i}": rng.normal(size=(9 + i, 8)).astype("float32") for i in range(4)}
    kaldiio.save_ark(str(tmp_path / "feats.ark"), feats, scp=str(tmp_path / "feats.scp"))
    write_keyed(tmp_path / "token_id", dict.fromkeys(feats, "5 80 7"))
    write_keyed(tmp_path / "token_end", dict.fromkeys(feats, "0.04 0.1 0.18"))
    write_keyed(tmp_path / "shape", dict.fromkeys(feats, "9,8"))
    options = []
    for mode in ("train", "valid"):
        for name, kind in [
            ("token_id", "text_int"), ("token_end", "text_float"), ("feats.scp", "kaldi_ark"),
        ]:  # fmt: skip
            option = f"{tmp_path / name},{name.removesuffix('.scp')},{kind}"
            options += [f"--{mode}_data_path_and_name_and_type", option]
        options += [f"--{mode}_shape_file", str(tmp_path / "shape")]
    return options


@pytest.fixture
def distilled_hull(causal_lm, tmp_path):
    """A checkpoint of a distilled connector with a hull head, its configuration beside it."""
    args = parse(causal_lm, *SMALL, *HULL, task=SSRDistillTask)
    torch.manual_seed(0)
    model = SSRDistillTask.build_model(args)
    (tmp_path / "hull").mkdir()
    torch.save(model.state_dict(), tmp_path / "hull" / "hull.pth")
    (tmp_path / "hull" / "config.yaml").write_text(
        yaml.safe_dump({**vars(args), "best_model_criterion": None})
    )
    return tmp_path / "hull" / "hull.pth", model.state_dict()


@pytest.mark.parametrize("trained", [True, False])
def test_a_training_from_a_distilled_hull_head(
    causal_lm, distilled_hull, data, trained, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "argv", ["ssr_lm_train"])
    (tmp_path / "text").write_text("Some text to read.\nAnd more.\n")
    options = [
        "--input_size", "8", *data, "--output_dir", str(tmp_path / "exp"), "--max_epoch", "2",
        "--batch_size", "2", "--batch_type", "unsorted", "--num_workers", "0",
        "--finetune", "lora", "--lora_conf", "rank=2", "--train_connector", str(trained).lower(),
        "--model_conf", "autocast=bfloat16", "--model_conf", "spoken_replay=0.5",
        "--replay_conf", f"file={tmp_path / 'text'}", "--optim", "adam", "--use_matplotlib",
        "false", "--use_tensorboard", "false", "--distilled", str(distilled_hull[0]),
    ]  # fmt: skip
    root = logging.getLogger()
    handlers = list(root.handlers)
    SSRLMTask.main(cmd=["--llm", causal_lm, *options])
    root.handlers[:] = handlers
    state = torch.load(tmp_path / "exp" / "2epoch.pth", weights_only=True)
    assert distilled_hull[1].keys() <= state.keys()
    changed = {n for n, w in distilled_hull[1].items() if not torch.equal(state[n], w)}
    # The keys stay what they were distilled to.
    assert not any(name.startswith("connector.output.keys") for name in changed)
    assert ("connector.output.query.weight" in changed) == trained
    assert bool(changed) == trained
    args = argparse.Namespace(**yaml.safe_load((tmp_path / "exp" / "config.yaml").read_text()))
    assert (args.head, args.head_conf) == ("hull", {"key_size": 8, "channels": 8})
    model, _ = load_trained(args, tmp_path / "exp" / "2epoch.pth")
    model.connector.store_keys()
    feats = {"feats": torch.randn(1, 9, 8), "feats_lengths": torch.tensor([9])}
    output = model.eval().connect(torch.tensor([[0.06, 0.18]]), torch.tensor([2]), **feats)
    assert output.embeds.isfinite().all()


def test_a_hull_head_is_not_trained_through_the_llm_from_scratch(causal_lm):
    with pytest.raises(ValueError, match="head: hull: its keys are learned in distillation"):
        SSRLMTask.main(cmd=["--llm", causal_lm, "--output_dir", "exp", *SMALL, *HULL])


def test_a_training_from_a_distilled_connector(causal_lm, distilled, data, tmp_path, monkeypatch):
    # ESPnet's worker writes the command it was called by.
    monkeypatch.setattr(sys, "argv", ["ssr_lm_train"])
    exp = tmp_path / "exp"
    options = [
        *SMALL, *data, "--output_dir", str(exp), "--max_epoch", "1",
        "--batch_size", "2", "--batch_type", "unsorted", "--num_workers", "0",
        "--llm_conf", "dtype=bfloat16", "--optim", "adam", "--use_matplotlib", "false",
        "--use_tensorboard", "false",
        "--init_param", f"{distilled[0]}:connector:connector",
    ]  # fmt: skip
    root = logging.getLogger()
    handlers = list(root.handlers)
    SSRLMTask.main(cmd=["--llm", causal_lm, *options])
    root.handlers[:] = handlers
    state = torch.load(exp / "1epoch.pth", weights_only=True)
    assert all(name.startswith("connector.") for name in state)
    # The learning rate is small: it began at the distilled weights, not at its own.
    start = distilled[1].state_dict()
    assert all(
        torch.allclose(state[f"connector.{name}"], weight, atol=0.05)
        for name, weight in start.items()
    )
    model, args = SSRLMTask.build_model_from_file(None, exp / "valid.loss.best.pth")
    assert isinstance(args, argparse.Namespace)
    assert model.llm.dtype == torch.bfloat16
