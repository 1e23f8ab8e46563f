"""What tasks share: resuming with other options, strict loading, batches for inference."""

import re
from argparse import Namespace

import kaldiio
import numpy as np
import pytest
import torch
import yaml
from espnet2.train.distributed_utils import DistributedOption

from espnet_ssr.task.abs import refuse_changed_config
from espnet_ssr.task.distill import SSRDistillTask

BEFORE = {
    "optim_conf": {"lr": 0.001, "betas": (0.9, 0.98)},
    "max_epoch": 3,
    "seed": 0,
    "dist_rank": None,
    "wandb_name": None,
    "train_shape_file": ["a"],
}


@pytest.fixture
def config_file(tmp_path):
    """What a training with the options BEFORE wrote, as YAML writes it."""
    plain = {**BEFORE, "optim_conf": {"lr": 0.001, "betas": [0.9, 0.98]}, "gone": 1}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(plain))
    return tmp_path / "config.yaml"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"max_epoch": 30},
        {"num_workers": 4},
        {"new_option": 1},
        {"dist_rank": 1, "wandb_name": "x"},
        {"train_shape_file": ("a",)},
    ],
    ids=lambda change: ",".join(change) or "nothing",
)
def test_harmless_changes(config_file, change):
    refuse_changed_config(config_file, {**BEFORE, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"optim_conf": {"lr": 0.1, "betas": (0.9, 0.98)}}, "optim_conf: {"),
        ({"train_shape_file": ["a", "b"]}, "train_shape_file: ['a'] -> ['a', 'b']"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_changes_that_matter_are_named(config_file, change, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        refuse_changed_config(config_file, {**BEFORE, **change})
    assert str(config_file.parent) in str(error.value)
    assert "max_epoch" not in str(error.value)


def test_all_changes_are_named_at_once(config_file):
    changed = {**BEFORE, "seed": 1, "train_shape_file": [], "max_epoch": 9}
    with pytest.raises(ValueError, match=r"\(seed: 0 -> 1; train_shape_file: \['a'\] -> \[\]\)"):
        refuse_changed_config(config_file, changed)


@pytest.fixture
def trained(tmp_path, tiny_llm):
    """A checkpoint of a small connector with its config.yaml, and that model."""
    command = ["--output_dir", str(tmp_path), "--llm", tiny_llm, "--input_size", "4"]
    command += ["--connector", "mean", "--connector_conf", "{hidden_size: 8, num_layers: 1}"]
    args = SSRDistillTask.get_parser().parse_args(command)
    model = SSRDistillTask.build_model(args)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(vars(args)))
    return tmp_path / "model.pth", model


def test_build_from_file(trained):
    path, saved = trained
    model, args = SSRDistillTask.build_model_from_file(model_file=str(path))
    assert not model.training
    assert args.connector == "mean"
    expected = dict(saved.named_parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, expected[name])


def test_build_from_file_is_strict(trained):
    path, saved = trained
    state = saved.state_dict()
    del state["connector.output.bias"]
    torch.save(state, path)
    with pytest.raises(RuntimeError, match=r"model\.pth: .*missing: connector\.output\.bias"):
        SSRDistillTask.build_model_from_file(model_file=path)


def test_initial_weights_need_no_checkpoint(trained):
    path, _ = trained
    model, _ = SSRDistillTask.build_model_from_file(path.parent / "config.yaml")
    torch.testing.assert_close(model.connector.output.bias, model.embedding.mean)


def initialize(model, *options):
    """What comes before ESPnet loads the files of ``--init_param``."""
    command = ["--output_dir", "exp", "--optim", "adam", *options]
    SSRDistillTask.build_optimizers(SSRDistillTask.get_parser().parse_args(command), model)


def test_initial_weights_must_fill_what_they_are_for(trained):
    path, model = trained
    initialize(model, "--init_param", str(path), f"{path}:connector:connector")
    state = model.state_dict()
    del state["connector.output.bias"]
    torch.save(state, path)
    for option in (str(path), f"{path}:connector:connector"):
        with pytest.raises(RuntimeError, match=f"--init_param {option}: .*missing: .*output.bias"):
            initialize(model, "--init_param", option)
    # The user knows.
    initialize(model, "--init_param", f"{path}:connector:connector:output")
    initialize(model, "--init_param", str(path), "--ignore_init_mismatch", "true")
    path.write_bytes(b"cut")
    with pytest.raises(RuntimeError, match=r"model\.pth: not a readable checkpoint"):
        initialize(model, "--init_param", str(path))


def test_inference_batches_follow_the_first_file(tmp_path):
    ends = {"c": "0.1 0.2", "a": "0.2", "b": "0.02 0.04 0.06"}
    (tmp_path / "token_end").write_text("".join(f"{k} {v}\n" for k, v in ends.items()))
    # Features of more utterances than tokens are known of.
    feats = {k: np.full((10, 2), i, dtype=np.float32) for i, k in enumerate("abcd")}
    kaldiio.save_ark(str(tmp_path / "feats.ark"), feats, scp=str(tmp_path / "feats.scp"))
    args = Namespace(encoder="whisper", frame_rate=50.0)
    loader = SSRDistillTask.build_streaming_iterator(
        [
            (str(tmp_path / "token_end"), "token_end", "text_float"),
            (str(tmp_path / "feats.scp"), "feats", "kaldi_ark"),
        ],
        preprocess_fn=SSRDistillTask.build_preprocess_fn(args, train=False),
        collate_fn=SSRDistillTask.build_collate_fn(None, train=False),
        batch_size=2,
        num_workers=0,
        inference=True,
    )
    (first, batch), (second, last) = loader
    assert (first, second) == (["c", "a"], ["b"])
    assert batch["token_end_lengths"].tolist() == [2, 1]
    assert batch["feats"][:, 0, 0].tolist() == [2, 0]
    torch.testing.assert_close(last["token_end"], torch.tensor([[0.02, 0.04, 0.06]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--multiple_iterator", "true"], "multiple_iterator: True is not supported: leave it out"),
        (["--iterator_type", "chunk"], "iterator_type: chunk is not"),
        (["--sort_in_batch", "ascending"], "sort_in_batch: ascending is not"),
        (["--drop_last_iter", "true"], "drop_last_iter: True is not"),
        (["--max_cache_size", "9"], "max_cache_size: 9"),
    ],
)
def test_options_of_batches_without_effect_are_refused(tmp_path, options, message):
    args = SSRDistillTask.get_parser().parse_args(["--output_dir", str(tmp_path / "exp"), *options])
    with pytest.raises(ValueError, match=message):
        SSRDistillTask.main_worker(args)
    assert not (tmp_path / "exp").exists()


def build_factory(tmp_path, *options, mode="train", plot=False, distributed=False):
    (tmp_path / "feats_shape").write_text("a 10,2\nb 9,2\nc 8,2\n")
    (tmp_path / "token_id_shape").write_text("a 1\nb 3\nc 2\n")
    command = ["--output_dir", str(tmp_path), "--batch_type", "numel", "--batch_bins", "1000"]
    for name, kind in (("token_id", "text_int"), ("token_end", "text_float")):
        (tmp_path / name).write_text("a 1\nb 1 2 3\nc 1 2\n")
        command += [f"--{mode}_data_path_and_name_and_type", f"{tmp_path / name},{name},{kind}"]
    for name in ("feats_shape", "token_id_shape"):
        command += [f"--{mode}_shape_file", str(tmp_path / name)]
    args = SSRDistillTask.get_parser().parse_args([*command, *options])
    distribution = DistributedOption()
    distribution.distributed = distributed
    mode = "plot_att" if plot else mode
    return SSRDistillTask.build_iter_factory(args, distribution, mode)


def batches(factory):
    return [utt_ids for utt_ids, _ in factory.build_iter(1)]


def test_batches_are_limited_by_tokens_where_asked_for(tmp_path):
    assert batches(build_factory(tmp_path, mode="valid")) == [["a", "b", "c"]]
    limited = build_factory(tmp_path, "--batch_tokens", "6", mode="valid")
    assert sorted(map(sorted, batches(limited))) == [["a"], ["b", "c"]]


def test_attention_plots_have_an_utterance_a_batch(tmp_path):
    factory = build_factory(tmp_path, "--num_att_plot", "2", mode="valid", plot=True)
    assert batches(factory) == [["a"], ["b"]]


def test_epochs_of_some_batches_go_on_in_the_next(tmp_path):
    options = ("--batch_type", "unsorted", "--batch_size", "1", "--num_iters_per_epoch", "2")
    factory = build_factory(tmp_path, *options)
    seen = [utt_ids[0] for epoch in (1, 2, 3) for utt_ids, _ in factory.build_iter(epoch)]
    assert sorted(seen[:3]) == sorted(seen[3:]) == ["a", "b", "c"]


def test_every_process_must_have_a_part_of_every_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    assert batches(build_factory(tmp_path, distributed=True)) == [["b"]]
    with pytest.raises(ValueError, match="a batch of 1 for 2 processes: see batch_size"):
        build_factory(tmp_path, "--batch_type", "unsorted", "--batch_size", "1", distributed=True)
