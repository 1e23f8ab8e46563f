"""Checkpoints: trained weights only, written whole, loaded strictly."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from espnet_ssr.tensors import read_tensors


class TrainedWeightsMixin:
    """State dict of an ``nn.Module`` that holds what is trained, nothing else.

    Frozen parameters, and whole children without a trained parameter (a pretrained encoder),
    come from where the model was built from; a checkpoint of 8B frozen weights an epoch is what
    fills disks. Loading is always strict: ``espnet2`` passes ``strict=False`` in places, and a
    missing key would pass silently.
    """

    kept: frozenset[str] = frozenset()
    """Frozen parameters and buffers that are in checkpoints all the same."""

    def state_dict(self, *args, **kwargs):
        state = super().state_dict(*args, **kwargs)
        prefix = kwargs.get("prefix", "")
        # ``state`` may hold other modules' entries too, when this one is inside another.
        for key in [key for key in state if key.startswith(prefix)]:
            if not self._is_trained(key.removeprefix(prefix)):
                del state[key]
        return state

    def _is_trained(self, key: str) -> bool:
        if key in self.kept:
            return True
        child = getattr(self, key.split(".")[0])
        # With duplicates: an output layer may be the embedding under another name.
        parameters = dict(self.named_parameters(remove_duplicate=False))
        if key in parameters:
            return parameters[key].requires_grad
        return any(p.requires_grad for p in child.parameters())

    def load_state_dict(self, state_dict: Mapping[str, torch.Tensor], strict=True, assign=False):
        check_keys(state_dict, self.state_dict())
        return super().load_state_dict(state_dict, strict=False, assign=assign)


def check_keys(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    """Raise a RuntimeError that names every missing, unexpected and misshapen entry."""
    problems = [f"missing: {_few(expected.keys() - found.keys())}"]
    problems += [f"unexpected: {_few(found.keys() - expected.keys())}"]
    both = sorted(expected.keys() & found.keys())
    shapes = [
        f"{k} {tuple(found[k].shape)} instead of {tuple(expected[k].shape)}"
        for k in both
        if found[k].shape != expected[k].shape
    ]
    problems += [f"wrong shape: {_few(shapes)}"]
    problems = [p for p in problems if not p.endswith(": ")]
    if problems:
        raise RuntimeError(
            f"the checkpoint does not fit the model: {'; '.join(problems)}. "
            "Was it trained with another configuration?"
        )


def _few(names: Iterable[str], most: int = 8) -> str:
    names = sorted(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def load_trained_weights(model: torch.nn.Module, path: str | os.PathLike) -> None:
    """Load a checkpoint file into ``model``; errors name the file.

    Raises:
        RuntimeError: the file is damaged or its entries are not exactly the model's.
    """
    state = read_tensors(path)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise RuntimeError(f"{path}: {error}") from None


def check_init_param(model: torch.nn.Module, option: str) -> None:
    """Refuse a file of ``--init_param FILE[:FROM[:TO]]`` that does not fill all of ``TO``.

    ESPnet leaves what a file lacks at its initial value, without a word.

    Raises:
        RuntimeError: names what is missing, unexpected or of another shape.
    """
    if option.count(":") > 2:  # what the file is not to fill is given, too
        return
    path, source, target = [*option.split(":"), "", ""][:3]
    try:
        check_keys(_below(read_tensors(path), source), _below(model.state_dict(), target))
    except RuntimeError as error:
        raise RuntimeError(f"--init_param {option}: {error}") from None


def _below(state: Mapping[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """The entries of a module, with names as in that module's own state."""
    prefix = f"{name}." if name else ""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


@contextmanager
def atomic_torch_save() -> Iterator[None]:
    """Within this context ``torch.save`` writes files whole or not at all.

    ``espnet2.train.trainer`` calls ``torch.save`` on the final name: a crash while it writes
    leaves a broken ``checkpoint.pth`` as the only one.
    """
    plain_save = torch.save

    def save(obj, f, *args, **kwargs):
        if not isinstance(f, (str, os.PathLike)):
            return plain_save(obj, f, *args, **kwargs)
        path = Path(f)
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with open(temporary, "wb") as stream:
                plain_save(obj, stream, *args, **kwargs)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except (OSError, RuntimeError) as error:
            free = shutil.disk_usage(path.parent).free
            raise OSError(f"cannot write {path}: {error} ({free >> 20} MiB free)") from error
        finally:
            temporary.unlink(missing_ok=True)

    torch.save = save
    try:
        yield
    finally:
        torch.save = plain_save
