"""ESPnet's trainer with whole checkpoint files, exact resume and progress for the job launcher."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from espnet2.train.trainer import Trainer

from espnet_ssr.progress import Progress
from espnet_ssr.train.checkpoint import atomic_torch_save


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
        _complete_epoch(Path(checkpoint).parent, model, reporter.get_epoch())

    @classmethod
    def train_one_epoch(cls, *, iterator, reporter, options, **kwargs):
        counted = _count(iterator, reporter.epoch, options.max_epoch)
        return super().train_one_epoch(
            iterator=counted, reporter=reporter, options=options, **kwargs
        )


def _complete_epoch(output_dir: Path, model: torch.nn.Module, epoch: int) -> None:
    """Write what a kill between ``checkpoint.pth`` and the epoch's own file left unwritten.

    Without it n-best averaging stops at the end of training on a file that is not there.
    """
    file = output_dir / f"{epoch}epoch.pth"
    if not file.exists():
        torch.save(model.state_dict(), file)


def _count(iterator: Iterable, epoch: int, max_epoch: int) -> Iterable:
    """Report batches over all epochs while passing them on."""
    batches = len(iterator)
    progress = Progress(batches * max_epoch, "training", done=batches * (epoch - 1))
    for batch in iterator:
        yield batch
        progress.update()
