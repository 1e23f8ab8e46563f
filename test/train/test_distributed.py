"""Two processes train as one does, through ESPnet's trainer and DistributedDataParallel (gloo)."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from trainings import assert_same, job, run_jobs, weights, write_data

from espnet_ssr.train.trainer import draw_apart

# Batches of three utterances: two for the first process, one for the second. Not Adam: a bias of
# attention's keys changes nothing but has rounding errors for gradients, which Adam blows up.
CONFIG = """\
connector: ssr
connector_conf: {hidden_size: 8, num_layers: 1, num_heads: 2, feedforward_size: 8, dropout_rate: 0}
optim: sgd
optim_conf: {lr: 0.005}
accum_grad: 2
checkpoint_interval: 1
batch_type: unsorted
batch_size: 3
valid_batch_size: 2
max_epoch: 3
num_workers: 0
num_att_plot: 0
use_matplotlib: false
use_tensorboard: false
"""
LM = """\
finetune: lora
lora_conf: {rank: 2}
model_conf: {losses: {cross_entropy: 0.5, kl: 1}}
"""
# Tasks, masks and texts are drawn.
RANDOM = """\
tasks: {continue: 1, transcribe: 2}
optim: adamw
optim_conf: {lr: 0.01}
accum_grad: 1
lora_conf: {rank: 2, dropout: 0.2}
jitter: 0.02
num_workers: 1
"""


def ranks(task, options, folders, kill=()):
    """A training by as many processes as there are folders."""
    # A new file each time, for those that were killed leave theirs.
    meeting = f"{folders[0]}.{len(options)}.{len(kill)}"
    shared = [
        "--multiprocessing_distributed", "false", "--dist_world_size", str(len(folders)),
        "--dist_backend", "gloo", "--dist_init_method", f"file://{meeting}",
    ]  # fmt: skip
    return [
        job(task, [*options, *shared, "--dist_rank", str(rank)], folder, kill)
        for rank, folder in enumerate(folders)
    ]


@pytest.fixture(scope="module")
def trainings(causal_lm, tmp_path_factory):
    """Folder of trainings by one process and by two."""
    folder = tmp_path_factory.mktemp("trainings")
    data = [*write_data(folder, 256), "--llm", causal_lm]
    (folder / "replay.txt").write_text("It was a dark night.\nThe rain fell.\n" * 9)
    replay = f"replay_conf: {{file: {folder / 'replay.txt'}, length: 8}}\n"
    configs = {"distill": CONFIG, "lm": CONFIG + LM, "random": CONFIG + LM + RANDOM + replay}
    for name, config in configs.items():
        (folder / f"{name}.yaml").write_text(config)

    def options(name):
        return [*data, "--config", str(folder / f"{name}.yaml")]

    groups = []
    for task in ("distill", "lm"):
        one, *two = (folder / f"{task}_{name}" for name in ("one", "first", "second"))
        groups += [[job(task, options(task), one)], ranks(task, options(task), two)]
    whole, resumed, killed = ([folder / name] * 2 for name in ("whole", "resumed", "killed"))
    groups += [
        ranks("lm", options("random"), whole),
        ranks("lm", [*options("random"), "--max_epoch", "1"], resumed),
        ranks("lm", options("random"), resumed),
        # In the second batch of the first epoch: the state after the first was kept.
        ranks("lm", options("random"), killed, ("batch", 2)),
        ranks("lm", options("random"), killed),
    ]
    run_jobs(groups)
    return folder


def statistics(folder):
    """What ESPnet's reporter had of each epoch, without times."""
    epochs = torch.load(folder / "checkpoint.pth", weights_only=False)["reporter"]["stats"]
    return {
        f"{epoch} {phase} {name}": value
        for epoch, phases in epochs.items()
        for phase, stats in phases.items()
        for name, value in stats.items()
        if "time" not in name and name != "gpu_max_cached_mem_GB"
    }


@pytest.mark.slow
@pytest.mark.parametrize("task", ["distill", "lm"])
def test_losses_and_weights_are_those_of_one_process(trainings, task):
    one, two = trainings / f"{task}_one", trainings / f"{task}_first"
    found, expected = statistics(two), statistics(one)
    assert {"3 train grad_norm", "3 valid loss"} <= expected.keys()
    assert expected["3 train loss"] < expected["1 train loss"] - 0.005
    assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert_close(weights(two), weights(one), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["distill", "lm"])
def test_the_first_process_alone_writes(trainings, task):
    names = {"config.yaml", "env.txt", "training_cost.json", "checkpoint.pth", "3epoch.pth"}
    assert names <= {file.name for file in (trainings / f"{task}_first").iterdir()}
    assert not (trainings / f"{task}_second").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resumed", "killed"])
def test_two_processes_go_on_where_they_stopped(trainings, name):
    assert_same(weights(trainings / name), weights(trainings / "whole"))


@pytest.fixture
def draw(monkeypatch):
    """A function that gives what a process of a rank draws in training."""

    def draw(rank: int) -> float:
        monkeypatch.setattr("espnet_ssr.train.trainer.rank", lambda: rank)
        np.random.seed(3)  # as ESPnet does in all of them
        draw_apart(3)
        return np.random.random()

    return draw


def test_each_process_draws_its_own_numbers(draw):
    drawn = [draw(rank) for rank in range(3)]
    assert len(set(drawn)) == 3
    assert [draw(rank) for rank in range(3)] == drawn
    # The first draws what one process alone would.
    assert drawn[0] == np.random.RandomState(3).random_sample()
