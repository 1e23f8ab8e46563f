"""ESPnet's trainer with whole checkpoint files, exact resume, progress and a record of the cost."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import torch
import yaml
from espnet2.train.reporter import Reporter
from espnet2.train.trainer import Trainer

from espnet_ssr.progress import Progress
from espnet_ssr.train.checkpoint import atomic_torch_save
from espnet_ssr.train.cost import measure_epoch


class SSRTrainer(Trainer):
    """``espnet2.train.trainer.Trainer``, safe to kill at any moment.

    ESPnet seeds every epoch with ``seed + epoch`` and resumes at the start of an epoch, so a run
    that was killed and resumed gives the weights of one that was not, provided that the files
    it left are whole and complete; that is what is added here.
    """

    @classmethod
    def run(cls, **kwargs) -> None:
        with atomic_torch_save():
            super().run(**kwargs)

    @staticmethod
    def resume(checkpoint, model, reporter, **kwargs):
        Trainer.resume(checkpoint=checkpoint, model=model, reporter=reporter, **kwargs)
        if _is_first_process():
            _complete_epoch(Path(checkpoint).parent, model, reporter)

    @classmethod
    def train_one_epoch(cls, *, iterator, optimizers, reporter, options, **kwargs):
        # With accum_grad ESPnet leaves gradients of the last batches to the next epoch, which a
        # resumed run would not have.
        for optimizer in optimizers:
            optimizer.zero_grad()
        counted = _count(iterator, reporter.epoch, options.max_epoch)
        measured = nullcontext()
        if _is_first_process():
            steps = len(iterator) // options.accum_grad
            measured = measure_epoch(Path(options.output_dir), reporter.epoch, steps)
        with measured:
            return super().train_one_epoch(
                iterator=counted,
                optimizers=optimizers,
                reporter=reporter,
                options=options,
                **kwargs,
            )


def _is_first_process() -> bool:
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0


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
