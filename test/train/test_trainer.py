"""Real trainings: a run that was killed and resumed gives the weights of one that was not."""

import json
from pathlib import Path

import pytest
import torch
from trainings import assert_same, job, run_jobs, weights, write_data

from espnet_ssr.task.distill import SSRDistillTask

EPOCHS = 4
CONFIG = """\
connector: mean
connector_conf: {hidden_size: 8, num_layers: 1}
optim: adamw
optim_conf: {lr: 0.01}
scheduler: warmuplr
scheduler_conf: {warmup_steps: 5}
batch_type: numel
batch_bins: 400
num_workers: 0
num_att_plot: 0
use_matplotlib: false
use_tensorboard: false
best_model_criterion:
- [train, loss, min]
keep_nbest_models: 2
val_scheduler_criterion: [valid, loss]
seed: 3
"""


@pytest.fixture(scope="module")
def options(tmp_path_factory, tiny_llm, embedding_matrix):
    """Options of a training on six utterances of random features."""
    folder = tmp_path_factory.mktemp("data")
    options = write_data(folder, len(embedding_matrix))
    (folder / "config.yaml").write_text(CONFIG)
    return [*options, "--llm", tiny_llm, "--config", str(folder / "config.yaml")]


def train(options, folder, *more, epochs=EPOCHS):
    command = [*options, "--output_dir", str(folder), "--max_epoch", str(epochs)]
    SSRDistillTask.main(cmd=[*command, "--resume", "true", *more])


@pytest.fixture(scope="module")
def uninterrupted(options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(options, folder)
    return folder


@pytest.fixture(scope="module")
def killed(options, tmp_path_factory):
    """Folder with a run that was killed at the N-th writing of a checkpoint, for some N."""
    folder = tmp_path_factory.mktemp("killed")
    options = [*options, "--max_epoch", str(EPOCHS)]
    run_jobs([[job("distill", options, folder / str(n), ("write", n))] for n in (3, 4, 5, 8)])
    return folder


def test_training_learns_and_leaves_what_is_documented(uninterrupted, embedding_matrix):
    found = weights(uninterrupted)
    links = {f"train.loss.{name}.pth" for name in ("ave", "best")}
    assert links | {"latest.pth", f"{EPOCHS}epoch.pth"} <= set(found)
    states = torch.load(uninterrupted / "checkpoint.pth", weights_only=False)
    epochs = states["reporter"]["stats"]
    assert epochs[EPOCHS]["train"]["loss"] < epochs[1]["train"]["loss"]
    assert 0 <= epochs[EPOCHS]["valid"]["token_accuracy"] <= 1
    initial, _ = SSRDistillTask.build_model_from_file(uninterrupted / "config.yaml")
    # Neither the embedding nor anything else that is frozen.
    names = {f"connector.{name}" for name, _ in initial.connector.named_parameters()}
    assert all(set(state) == names for state in [*found.values(), states["model"]])
    assert not list(uninterrupted.glob(".*"))
    assert "seed: 3\n" in (uninterrupted / "env.txt").read_text()


def test_average_is_of_the_best_epochs(uninterrupted):
    states = torch.load(uninterrupted / "checkpoint.pth", weights_only=False)
    losses = {e: v["train"]["loss"] for e, v in states["reporter"]["stats"].items()}
    found = weights(uninterrupted)
    first, second = (found[f"{e}epoch.pth"] for e in sorted(losses, key=losses.get)[:2])
    for name, value in found["train.loss.ave.pth"].items():
        torch.testing.assert_close(value, (first[name] + second[name]) / 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("writes", "left"),
    [
        pytest.param(3, ["1epoch.pth"], id="in checkpoint.pth of epoch 2"),
        pytest.param(4, ["1epoch.pth"], id="between checkpoint.pth and 2epoch.pth"),
        pytest.param(5, ["1epoch.pth", "2epoch.pth"], id="after epoch 2"),
        pytest.param(8, None, id="between the last checkpoint.pth and 4epoch.pth"),
    ],
)
def test_killed_and_resumed_is_as_if_nothing_had_happened(
    options, uninterrupted, killed, writes, left
):
    folder = killed / str(writes)
    if left is not None:
        assert sorted(file.name for file in folder.glob("*epoch.pth")) == left
    assert not (folder / f"{EPOCHS}epoch.pth").exists()
    train(options, folder)
    assert_same(weights(folder), weights(uninterrupted))
    assert not list(folder.glob(".*"))  # what was being written when the run was killed


def test_what_a_kill_after_the_last_checkpoint_left_out_is_made_up_for(options, tmp_path):
    train(options, tmp_path, epochs=2)
    before = weights(tmp_path)
    (tmp_path / "2epoch.pth").unlink()
    (tmp_path / "train.loss.best.pth").unlink()
    (tmp_path / "latest.pth").unlink()
    (tmp_path / "latest.pth").symlink_to("1epoch.pth")
    train(options, tmp_path, epochs=2)  # nothing to train any more, but to average
    assert_same(weights(tmp_path), before)
    assert (tmp_path / "latest.pth").readlink() == Path("2epoch.pth")


def cost_of(folder):
    return json.loads((folder / "training_cost.json").read_text())


def test_cost_of_every_epoch_is_recorded(uninterrupted):
    epochs = cost_of(uninterrupted)
    assert list(epochs) == [str(n + 1) for n in range(EPOCHS)]
    steps = [cost["steps"] for cost in epochs.values()]
    assert steps == [steps[0]] * EPOCHS
    assert 1 <= steps[0] <= 6
    for cost in epochs.values():
        assert 0 < cost["wall_seconds"] < 60
        assert cost["cpu_seconds"] > 0


def test_cost_of_a_resumed_training_is_that_of_each_epoch_once(options, tmp_path):
    train(options, tmp_path, epochs=2)
    first = cost_of(tmp_path)
    (tmp_path / "checkpoint.pth").rename(tmp_path / "2.pth")
    train(options, tmp_path, epochs=1)  # as if it had been killed in the second epoch
    again = cost_of(tmp_path)
    assert list(again) == ["1"]
    (tmp_path / "2.pth").rename(tmp_path / "checkpoint.pth")
    (tmp_path / "training_cost.json").write_text(json.dumps(first))
    train(options, tmp_path, epochs=3)
    resumed = cost_of(tmp_path)
    assert {e: resumed[e] for e in first} == first
    assert list(resumed) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--optim_conf", "lr=0.02"], "optim_conf"),
        (["--connector_conf", "dropout_rate=0"], "connector_conf"),
        (["--seed", "4"], "seed: 3 -> 4"),
    ],
    ids=["lr", "dropout", "seed"],
)
def test_resuming_with_other_options_is_refused(options, uninterrupted, change, named):
    config = (uninterrupted / "config.yaml").read_bytes()
    with pytest.raises(ValueError, match=f"cannot resume: .*{named}"):
        train(options, uninterrupted, *change)
    assert (uninterrupted / "config.yaml").read_bytes() == config


def test_resuming_for_more_epochs_is_what_resuming_is_for(options, uninterrupted, tmp_path):
    train(options, tmp_path, epochs=2)
    train(options, tmp_path)
    assert_same(weights(tmp_path), weights(uninterrupted))


def test_progress_counts_batches_over_all_epochs(options, tmp_path, monkeypatch):
    monkeypatch.setenv("SSR_PROGRESS_FILE", str(tmp_path / "progress"))
    train(options, tmp_path / "exp", epochs=2)
    done, total = map(int, (tmp_path / "progress").read_text().split())
    assert done == total
    assert total % 2 == 0
    assert total >= 4
