"""An epoch that was interrupted goes on at the batch after the last state that was kept."""

import json

import pytest
import torch
from trainings import assert_same, weights, write_data

from espnet_ssr.data.batch_plan import plan_of_size
from espnet_ssr.datadir import read_keyed
from espnet_ssr.model.speech import SpeechModel
from espnet_ssr.task.distill import SSRDistillTask
from espnet_ssr.train.trainer import SSRTrainer

# Six batches an epoch, of which the state is kept after the second and the fourth.
CONFIG = """\
connector: mean
connector_conf: {hidden_size: 8, num_layers: 1, dropout_rate: 0.2}
jitter: 0.02
optim: adamw
optim_conf: {lr: 0.01}
scheduler: warmuplr
scheduler_conf: {warmup_steps: 5}
batch_type: unsorted
batch_size: 1
checkpoint_interval: 2
max_epoch: 2
num_workers: 0
num_att_plot: 0
use_matplotlib: false
use_tensorboard: false
"""
TRAIN, VALID = 6, 2


@pytest.fixture(scope="module")
def options(tmp_path_factory, tiny_llm, embedding_matrix):
    folder = tmp_path_factory.mktemp("data")
    options = write_data(folder, len(embedding_matrix))
    (folder / "config.yaml").write_text(CONFIG)
    return [*options, "--llm", tiny_llm, "--config", str(folder / "config.yaml")]


def train(options, folder, *more):
    SSRDistillTask.main(cmd=[*options, "--output_dir", str(folder), "--resume", "true", *more])


@pytest.fixture(scope="module")
def uninterrupted(options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(options, folder)
    return folder


class Stop(Exception):
    """The power is cut."""


@pytest.fixture
def stop_at(monkeypatch):
    """A function that stops trainings at a batch, of training or validation; the returned list has
    an entry for each batch that began."""
    connect = SpeechModel.connect

    def stop_at(number):
        begun = []

        def count(*args, **kwargs):
            begun.append(1)
            if len(begun) == number:
                raise Stop
            return connect(*args, **kwargs)

        monkeypatch.setattr(SpeechModel, "connect", count)
        return begun

    return stop_at


def statistics(folder):
    return torch.load(folder / "checkpoint.pth", weights_only=False)["reporter"]["stats"]


@pytest.mark.parametrize(
    ("batch", "kept"),
    [(2, 0), (4, 2), (6, 4), (TRAIN + 1, 4), (TRAIN + VALID + 5, TRAIN + VALID + 4)],
)
def test_an_epoch_goes_on(options, uninterrupted, tmp_path, stop_at, batch, kept):
    stop_at(batch)
    with pytest.raises(Stop):
        train(options, tmp_path)
    assert (tmp_path / "midepoch.pth").exists() == bool(kept)
    begun = stop_at(None)
    train(options, tmp_path)
    assert len(begun) == 2 * (TRAIN + VALID) - kept
    assert_same(weights(tmp_path), weights(uninterrupted))
    assert not (tmp_path / "midepoch.pth").exists()
    found, expected = statistics(tmp_path), statistics(uninterrupted)
    for epoch in (1, 2):
        for name in ("loss", "grad_norm", "total_count", "optim0_lr0"):
            assert found[epoch]["train"][name] == expected[epoch]["train"][name]
    costs = json.loads((tmp_path / "training_cost.json").read_text())
    assert [cost["steps"] for cost in costs.values()] == [TRAIN, TRAIN]


def test_nothing_is_kept_where_that_is_asked_for(options, tmp_path, stop_at):
    stop_at(6)
    with pytest.raises(Stop):
        train(options, tmp_path, "--checkpoint_interval", "0")
    assert not (tmp_path / "midepoch.pth").exists()


@pytest.fixture
def stopped(options, tmp_path, stop_at):
    stop_at(4)
    with pytest.raises(Stop):
        train(options, tmp_path)
    stop_at(None)
    return tmp_path


def test_other_options_are_refused_in_the_first_epoch_too(options, stopped):
    with pytest.raises(ValueError, match=r"cannot resume: .*seed: 0 -> 4"):
        train(options, stopped, "--seed", "4")


def test_other_data_are_refused(options, stopped, monkeypatch):
    monkeypatch.setattr("espnet_ssr.task.abs.plan_batches", lambda *_, **__: plan_of_size(5, 1))
    with pytest.raises(RuntimeError, match=r"midepoch.pth is of 6 batches an epoch, now .* 5: "):
        train(options, stopped)


def test_a_damaged_file_is_named(options, stopped):
    (stopped / "midepoch.pth").write_bytes(b"torn")
    with pytest.raises(RuntimeError, match=r"midepoch.pth: not a readable checkpoint"):
        train(options, stopped)


def test_a_training_that_begins_anew_forgets_it(options, uninterrupted, stopped):
    train(options, stopped, "--resume", "false")
    assert_same(weights(stopped), weights(uninterrupted))


def test_options_of_the_trainer():
    args = SSRDistillTask.get_parser().parse_args(["--output_dir", "exp"])
    assert SSRTrainer.build_options(args).checkpoint_interval == 1000


@pytest.fixture
def damaged(tmp_path, embedding_matrix, tiny_llm):
    """Options of a training one of whose utterances' features are not there."""
    (tmp_path / "data").mkdir()
    options = write_data(tmp_path / "data", len(embedding_matrix))
    scp = tmp_path / "data" / "train" / "feats.scp"
    entries = read_keyed(scp)
    entries["u3"] = entries["u3"].replace("feats.ark", "gone.ark")
    scp.write_text("".join(f"{key} {value}\n" for key, value in entries.items()))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return [*options, "--llm", tiny_llm, "--config", str(tmp_path / "config.yaml")]


def test_a_damaged_utterance_does_not_end_a_training(damaged, tmp_path, caplog):
    train(damaged, tmp_path / "exp", "--max_skipped", "0.2")
    assert (
        "epoch 2: skipped in training: 1 of 6; dropped: 1 unreadable_features (u3)" in caplog.text
    )
    why = read_keyed(tmp_path / "exp" / "skipped")
    assert [*why] == ["u3"]
    assert why["u3"].startswith("unreadable_features ")
    assert "gone.ark" in why["u3"]
    # Every batch was one of an utterance: another took the place of this one.
    costs = json.loads((tmp_path / "exp" / "training_cost.json").read_text())
    assert [cost["steps"] for cost in costs.values()] == [TRAIN, TRAIN]


def test_too_many_damaged_utterances_do(damaged, tmp_path):
    with pytest.raises(RuntimeError, match=r"1 of 6 .* --max_skipped 0.01 .* u3: unreadable"):
        train(damaged, tmp_path / "exp")


def test_what_was_skipped_before_a_stop_is_remembered(damaged, tmp_path, stop_at, caplog):
    options = [*damaged, "--max_skipped", "0.2", "--max_epoch", "1"]
    begun = stop_at(6)  # u3 is skipped in some batch; if in one after the state, it is read again
    with pytest.raises(Stop):
        train(options, tmp_path / "exp")
    assert len(begun) == 6
    stop_at(None)
    train(options, tmp_path / "exp")
    assert "epoch 1: skipped in training: 1 of 6" in caplog.text
