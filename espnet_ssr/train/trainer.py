"""ESPnet's trainer with whole checkpoint files, exact resume, progress and a record of the cost."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import torch
import yaml
from espnet2.iterators.sequence_iter_factory import worker_init_fn
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.torch_utils.set_all_random_seed import set_all_random_seed
from espnet2.train.reporter import Reporter
from espnet2.train.trainer import Trainer
from torch.utils.data import DataLoader

from espnet_ssr.environment import write_environment
from espnet_ssr.progress import Progress
from espnet_ssr.train.checkpoint import atomic_torch_save
from espnet_ssr.train.cost import measure_epoch

SEEDS_OF_A_PROCESS = 1 << 20  # more than there are epochs


class SSRTrainer(Trainer):
    """``espnet2.train.trainer.Trainer``, safe to kill at any moment.

    ESPnet seeds every epoch with ``seed + epoch`` and resumes at the start of an epoch, so a run
    that was killed and resumed gives the weights of one that was not, provided that the files
    it left are whole and complete; that is what is added here. Of several processes the first
    alone writes, and each draws its own random numbers.
    """

    @classmethod
    def run(cls, *, model, trainer_options, **kwargs) -> None:
        prepare(model, trainer_options)
        with atomic_torch_save():
            super().run(model=model, trainer_options=trainer_options, **kwargs)

    @staticmethod
    def resume(checkpoint, model, reporter, **kwargs):
        Trainer.resume(checkpoint=checkpoint, model=model, reporter=reporter, **kwargs)
        if _rank() == 0:
            _complete_epoch(Path(checkpoint).parent, model, reporter)

    @classmethod
    def train_one_epoch(cls, *, iterator, optimizers, reporter, options, **kwargs):
        # With accum_grad ESPnet leaves gradients of the last batches to the next epoch, which a
        # resumed run would not have.
        for optimizer in optimizers:
            optimizer.zero_grad()
        draw_apart(iterator, options.seed + reporter.epoch)
        measured = nullcontext()
        if _rank() == 0:
            steps = len(iterator) // options.accum_grad
            measured = measure_epoch(Path(options.output_dir), reporter.epoch, steps)
            iterator = _count(iterator, reporter.epoch, options.max_epoch)
        with measured:
            return super().train_one_epoch(
                iterator=iterator,
                optimizers=optimizers,
                reporter=reporter,
                options=options,
                **kwargs,
            )


def _rank() -> int:
    """Of this process among those that train together."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def prepare(model: torch.nn.Module, options) -> None:
    """What is to be done before ESPnet's loop: write ``env.txt``, make outputs fit.

    Args:
        options: of the trainer, with ``output_dir`` and ``seed``.
    """
    if _rank() == 0:
        write_environment(Path(options.output_dir) / "env.txt", seed=options.seed)
    model.register_forward_hook(_fit_for_espnet)


def _fit_for_espnet(_model: torch.nn.Module, _inputs: tuple, output: tuple) -> tuple:
    """Loss, figures and weight of a batch with a dimension, over which ESPnet adds up those of
    all processes.

    ESPnet divides the loss in place by ``accum_grad``; the figures may share its memory.
    """
    loss, stats, weight = force_gatherable(output, output[0].device)
    return loss.clone(), stats, weight


def draw_apart(iterator: DataLoader, seed: int) -> None:
    """Seed all processes but the first anew for an epoch, each otherwise.

    ESPnet seeds all alike: they would draw the same masks, tasks and texts.
    """
    if rank := _rank():
        seed += rank * SEEDS_OF_A_PROCESS
        set_all_random_seed(seed)
        iterator.worker_init_fn = partial(worker_init_fn, base_seed=seed)


def _complete_epoch(output_dir: Path, model: torch.nn.Module, reporter: Reporter) -> None:
    """Do what a kill after ``checkpoint.pth`` left undone: the epoch's own file, links to it.

    Without it n-best averaging stops at the end of training on a file that is not there, and
    ``latest.pth`` may name an older epoch.
    """
    epoch = reporter.get_epoch()
    file = output_dir / f"{epoch}epoch.pth"
    if not file.exists():
        torch.save(model.state_dict(), file)
    _link(output_dir / "latest.pth", file)
    config = yaml.safe_load((output_dir / "config.yaml").read_text(encoding="utf-8"))
    for phase, name, mode in config["best_model_criterion"]:
        if reporter.has(phase, name) and reporter.get_best_epoch(phase, name, mode) == epoch:
            _link(output_dir / f"{phase}.{name}.best.pth", file)


def _link(link: Path, file: Path) -> None:
    """Let ``link`` name ``file``, which is beside it, at every moment one file or another."""
    temporary = link.with_name(f".{link.name}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(file.name)
    os.replace(temporary, link)


def _count(iterator: Iterable, epoch: int, max_epoch: int) -> Iterable:
    """Report batches over all epochs while passing them on."""
    batches = len(iterator)
    progress = Progress(batches * max_epoch, "training", done=batches * (epoch - 1))
    for batch in iterator:
        yield batch
        progress.update()
