"""ESPnet's trainer with whole checkpoint files, exact resume, progress and a record of the cost."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.torch_utils.set_all_random_seed import set_all_random_seed
from espnet2.train.reporter import Reporter
from espnet2.train.trainer import Trainer, TrainerOptions
from espnet2.utils.build_dataclass import build_dataclass

from espnet_ssr.environment import write_environment
from espnet_ssr.progress import Progress
from espnet_ssr.train.batches import BatchLoader
from espnet_ssr.train.checkpoint import atomic_torch_save
from espnet_ssr.train.cost import measure_epoch
from espnet_ssr.train.midepoch import MIDEPOCH_FILE, MidEpoch, Progressed, seed_anew
from espnet_ssr.train.processes import rank

SEEDS_OF_A_PROCESS = 1 << 20  # more than there are epochs


@dataclass
class SSRTrainerOptions(TrainerOptions):
    """ESPnet's and ours: ``checkpoint_interval`` in steps of the optimizer, 0: never."""

    checkpoint_interval: int


class SSRTrainer(Trainer):
    """``espnet2.train.trainer.Trainer``, safe to kill at any moment.

    ESPnet seeds every epoch with ``seed + epoch`` and resumes at the start of an epoch, so a run
    that was killed and resumed gives the weights of one that was not, provided that the files
    it left are whole and complete; that is what is added here, and that epochs of days are resumed
    in their middle. Of several processes the first alone writes, and each draws its own random
    numbers.
    """

    @classmethod
    def run(cls, *, model, trainer_options, **kwargs) -> None:
        prepare(model, trainer_options)
        midepoch = Path(trainer_options.output_dir) / MIDEPOCH_FILE
        if rank() == 0 and not trainer_options.resume:
            midepoch.unlink(missing_ok=True)
        with atomic_torch_save():
            super().run(model=model, trainer_options=trainer_options, **kwargs)
        if rank() == 0:
            midepoch.unlink(missing_ok=True)

    @staticmethod
    def resume(checkpoint, model, reporter, **kwargs):
        Trainer.resume(checkpoint=checkpoint, model=model, reporter=reporter, **kwargs)
        if rank() == 0:
            _complete_epoch(Path(checkpoint).parent, model, reporter)

    @classmethod
    def build_options(cls, args: argparse.Namespace) -> SSRTrainerOptions:
        return build_dataclass(SSRTrainerOptions, args)

    @classmethod
    def train_one_epoch(cls, *, iterator, optimizers, reporter, options, **kwargs):
        # With accum_grad ESPnet leaves gradients of the last batches to the next epoch, which a
        # resumed run would not have.
        for optimizer in optimizers:
            optimizer.zero_grad()
        draw_apart(options.seed + reporter.epoch)
        folder, batches = Path(options.output_dir), len(iterator)
        names = ("model", "schedulers", "scaler")
        state = MidEpoch(
            folder,
            batches,
            optimizers=optimizers,
            reporter=reporter,
            skipped=iterator.skipped,
            **{name: kwargs[name] for name in names},
        )
        begun = state.resume() if options.resume else Progressed()
        iterator.skip(begun.batches)
        measured = nullcontext()
        if rank() == 0:
            steps = batches // options.accum_grad
            measured = measure_epoch(folder, reporter.epoch, steps, begun.seconds)
        with measured as spent:
            kept = _keep_state(iterator, state, begun, reporter.epoch, options, spent)
            all_invalid = super().train_one_epoch(
                iterator=_count(kept, batches, begun.batches, reporter.epoch, options.max_epoch),
                optimizers=optimizers,
                reporter=reporter,
                options=options,
                **kwargs,
            )
        iterator.skipped.report(folder, f"epoch {reporter.epoch}: skipped in training")
        # A resumed epoch may have no step left, and one before that had a gradient.
        return all_invalid and "grad_norm" not in reporter.stats

    @classmethod
    def validate_one_epoch(cls, *, iterator, reporter, options, **kwargs) -> None:
        super().validate_one_epoch(iterator=iterator, reporter=reporter, options=options, **kwargs)
        what = f"epoch {reporter.epoch}: skipped in validation"
        iterator.skipped.report(Path(options.output_dir), what)


def prepare(model: torch.nn.Module, options) -> None:
    """What is to be done before ESPnet's loop: write ``env.txt``, make outputs fit.

    Args:
        options: of the trainer, with ``output_dir`` and ``seed``.
    """
    if rank() == 0:
        write_environment(Path(options.output_dir) / "env.txt", seed=options.seed)
    model.register_forward_hook(_fit_for_espnet)


def _fit_for_espnet(_model: torch.nn.Module, _inputs: tuple, output: tuple) -> tuple:
    """Loss, figures and weight of a batch with a dimension, over which ESPnet adds up those of
    all processes.

    ESPnet divides the loss in place by ``accum_grad``; the figures may share its memory.
    """
    loss, stats, weight = force_gatherable(output, output[0].device)
    return loss.clone(), stats, weight


def draw_apart(seed: int) -> None:
    """Seed all processes but the first anew for an epoch, each otherwise.

    ESPnet seeds all alike: they would draw the same masks, tasks and texts.
    """
    if own := rank():
        set_all_random_seed(seed + own * SEEDS_OF_A_PROCESS)


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


def _keep_state(
    iterator: BatchLoader,
    state: MidEpoch,
    begun: Progressed,
    epoch: int,
    options: SSRTrainerOptions,
    spent: Callable[[], tuple[float, float]] | None,
) -> Iterator:
    """Keep the state at every ``checkpoint_interval`` while passing batches on.

    Args:
        begun: where the epoch was when this process began with it.
        spent: seconds of the epoch so far; None in a process that does not write.
    """
    interval = options.checkpoint_interval * options.accum_grad
    # A batch is asked for when the step of the one before it is done.
    for done, batch in enumerate(iterator, start=begun.batches):
        if interval and done and done % interval == 0:
            if spent is not None and done > begun.batches:
                state.save(Progressed(done, spent()))
            seed_anew(options.seed, epoch, done, rank())
        yield batch


def _count(iterator: Iterable, batches: int, begun: int, epoch: int, max_epoch: int) -> Iterator:
    """Report batches over all epochs while passing them on.

    Args:
        batches: of an epoch.
        begun: those of this epoch that were passed on before.
    """
    if rank():
        yield from iterator
        return
    progress = Progress(batches * max_epoch, "training", done=batches * (epoch - 1) + begun)
    for batch in iterator:
        yield batch
        progress.update()
