"""Checkpoints: what is in them, what is refused, and files that are whole or absent."""

import os
import pickle
import re

import pytest
import torch
from torch import nn

from espnet_ssr.train.checkpoint import (
    TrainedWeightsMixin,
    atomic_torch_save,
    check_keys,
    load_trained_weights,
)


class Model(TrainedWeightsMixin, nn.Module):
    """A frozen child with a buffer, a trained child with a buffer and a frozen weight."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).requires_grad_(False)
        self.connector = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        self.connector[0].bias.requires_grad_(False)
        self.scale = nn.Parameter(torch.ones(1))


TRAINED = {
    "scale",
    "connector.0.weight",
    "connector.1.weight",
    "connector.1.bias",
    "connector.1.running_mean",
    "connector.1.running_var",
    "connector.1.num_batches_tracked",
}


@pytest.fixture
def checkpoint(tmp_path):
    """A file with the trained weights of another ``Model``, and that model."""
    torch.manual_seed(1)
    model = Model()
    torch.save(model.state_dict(), tmp_path / "model.pth")
    return tmp_path / "model.pth", model


def test_state_dict_has_what_is_trained_and_its_buffers():
    assert set(Model().state_dict()) == TRAINED


@pytest.mark.parametrize("name", ["module", "a.b"])
def test_state_dict_inside_another_module(name):
    """As in DistributedDataParallel, whose keys begin with ``module.``."""
    outer = nn.Module()
    parent = outer
    for part in name.split(".")[:-1]:
        parent.add_module(part, nn.Module())
        parent = parent.get_submodule(part)
    outer.other = nn.Linear(1, 1)
    parent.add_module(name.split(".")[-1], Model())
    expected = {f"{name}.{key}" for key in TRAINED} | {"other.weight", "other.bias"}
    assert set(outer.state_dict()) == expected


def test_load_changes_what_is_trained_and_nothing_else(checkpoint):
    path, saved = checkpoint
    torch.manual_seed(2)
    model = Model()
    frozen = model.encoder[0].weight.clone(), model.connector[0].bias.clone()
    load_trained_weights(model, path)
    assert torch.equal(model.connector[0].weight, saved.connector[0].weight)
    assert torch.equal(model.encoder[0].weight, frozen[0])
    assert torch.equal(model.connector[0].bias, frozen[1])


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("scale"), "missing: scale"),
        (lambda s: s.update({"encoder.0.weight": s["scale"]}), "unexpected: encoder.0.weight"),
        (
            lambda s: s.update({"connector.0.weight": torch.zeros(3, 5)}),
            "wrong shape: connector.0.weight (3, 5) instead of (3, 2)",
        ),
    ],
    ids=["missing", "unexpected", "misshapen"],
)
def test_load_names_what_does_not_fit_and_changes_nothing(change, message, strict):
    model = Model()
    state = {key: value + 1 for key, value in model.state_dict().items()}
    before = {key: value.clone() for key, value in model.state_dict().items()}
    change(state)
    with pytest.raises(RuntimeError, match=re.escape(message)) as error:
        model.load_state_dict(state, strict=strict)
    assert "another configuration" in str(error.value)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_all_problems_are_named_at_once_but_not_without_end():
    found = {"x": torch.zeros(1), "both": torch.zeros(2)}
    expected = {f"layer{i:02}": torch.zeros(1) for i in range(10)} | {"both": torch.zeros(3)}
    with pytest.raises(RuntimeError) as error:
        check_keys(found, expected)
    names = ", ".join(f"layer{i:02}" for i in range(8))
    assert f"missing: {names} and 2 more; unexpected: x; wrong shape: both" in str(error.value)


def test_what_does_not_fit_is_said_of_which_file(checkpoint):
    path, _ = checkpoint
    torch.save({"scale": torch.ones(1)}, path)
    with pytest.raises(RuntimeError, match=rf"{re.escape(str(path))}: .*missing: connector"):
        load_trained_weights(Model(), path)


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\x80\x02garbage"],
    ids=["truncated", "empty", "garbage"],
)
def test_damaged_file(checkpoint, damage):
    path, _ = checkpoint
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RuntimeError, match=r"model\.pth: not a readable checkpoint"):
        load_trained_weights(Model(), path)


def test_no_file(tmp_path):
    with pytest.raises(RuntimeError, match=r"none\.pth: not a readable checkpoint .*No such file"):
        load_trained_weights(Model(), tmp_path / "none.pth")


class Attack:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [torch.save, lambda obj, path: path.write_bytes(obj_bytes(obj))])
def test_code_in_a_checkpoint_is_not_run(tmp_path, save):
    attack = Attack(tmp_path / "run")
    save({"scale": attack}, tmp_path / "model.pth")
    with pytest.raises(RuntimeError, match="not a readable checkpoint"):
        load_trained_weights(Model(), tmp_path / "model.pth")
    assert not attack.path.exists()


def obj_bytes(obj):
    return pickle.dumps(obj, protocol=2)


def test_atomic_save_writes_what_torch_save_writes(tmp_path):
    plain_save = torch.save
    with atomic_torch_save():
        torch.save({"x": torch.ones(2)}, tmp_path / "a.pth")
        torch.save({"x": torch.zeros(2)}, str(tmp_path / "a.pth"))
        with open(tmp_path / "b.pth", "wb") as stream:
            torch.save([1], stream)
    assert torch.save is plain_save
    assert torch.equal(torch.load(tmp_path / "a.pth")["x"], torch.zeros(2))
    assert torch.load(tmp_path / "b.pth") == [1]
    assert sorted(os.listdir(tmp_path)) == ["a.pth", "b.pth"]


def fail_with(error):
    """A ``torch.save`` that writes something and fails."""

    def save(obj, stream):
        stream.write(b"half of it")
        raise error

    return save


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(28, "No space left on device"), OSError),
        (RuntimeError("PytorchStreamWriter failed"), OSError),
        (pickle.PicklingError("cannot pickle a lambda"), pickle.PicklingError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_failed_save_leaves_the_old_file_only(tmp_path, monkeypatch, error, raised):
    path = tmp_path / "a.pth"
    torch.save({"x": 1}, path)
    failing = fail_with(error)
    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(raised) as caught, atomic_torch_save():
        torch.save({"x": 2}, path)
    assert torch.save is failing  # what it was on entry
    assert torch.load(path) == {"x": 1}
    assert os.listdir(tmp_path) == ["a.pth"]
    if raised is OSError:
        assert re.search(rf"cannot write {re.escape(str(path))}: .*\d+ MiB free", str(caught.value))
