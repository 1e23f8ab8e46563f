"""What the tasks of this toolkit share."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from espnet2.tasks.abs_task import AbsTask, IteratorOptions
from espnet2.train.dataset import ESPnetDataset
from espnet2.utils.types import int_or_none
from torch.utils.data import DataLoader

from espnet_ssr.data.batch_plan import plan_batches
from espnet_ssr.data.collate import collate
from espnet_ssr.data.dataset import TableDataset
from espnet_ssr.data.shapes import read_matching_shapes
from espnet_ssr.datadir import read_keyed
from espnet_ssr.model.head import change_head
from espnet_ssr.train.batches import BatchIterFactory
from espnet_ssr.train.checkpoint import check_init_param, load_trained_weights
from espnet_ssr.train.midepoch import MIDEPOCH_FILE
from espnet_ssr.train.trainer import SSRTrainer

# Options that may differ when a run is resumed, because the weights do not depend on them or
# because changing them is what resuming is for.
RESUMABLE_OPTIONS = {
    "config",
    "output_dir",
    "resume",
    "max_epoch",
    "patience",
    "keep_nbest_models",
    "best_model_criterion",
    "early_stopping_criterion",
    "nbest_averaging_interval",
    "log_level",
    "log_interval",
    "num_workers",
    "use_tensorboard",
    "use_matplotlib",
    "num_att_plot",
    "required",
    "print_config",
    "dry_run",
    "ngpu",
    "local_rank",
    "multiprocessing_distributed",
    "max_cache_size",
    "max_cache_fd",
    "max_skipped",
}

# ESPnet's options of batches that this toolkit has at their defaults only.
UNSUPPORTED_OPTIONS = (
    "iterator_type",
    "valid_iterator_type",
    "multiple_iterator",
    "multi_task_dataset",
    "sort_in_batch",
    "sort_batch",
    "shuffle_within_batch",
    "drop_last_iter",
    "max_cache_size",
    "valid_max_cache_size",
    "allow_multi_rates",
)


class SSRTask(AbsTask):
    """Base of the tasks: batches, strict loading, refusal of a changed configuration."""

    trainer = SSRTrainer

    @classmethod
    def get_parser(cls):
        parser = super().get_parser()
        parser.set_defaults(best_model_criterion=[("valid", "loss", "min")])
        group = parser.add_argument_group("Large corpora")
        group.add_argument(
            "--batch_tokens",
            type=int_or_none,
            help="Most tokens of a batch, padding included, beside batch_bins; unset: any number",
        )
        group.add_argument(
            "--checkpoint_interval",
            type=int,
            default=1000,
            help="Steps after which the state is kept in the middle of an epoch; 0: never",
        )
        group.add_argument(
            "--max_skipped",
            type=float,
            default=0.01,
            help="What part of an epoch's utterances may be damaged; more of them end the training",
        )
        return parser

    @classmethod
    def build_collate_fn(cls, args: argparse.Namespace, train: bool):
        return collate

    @classmethod
    def main_worker(cls, args: argparse.Namespace) -> None:
        cls.refuse_unsupported(args)
        # ESPnet's averaging adds up in the weights that it keeps for the next average.
        for option in ("best_model_criterion", "keep_nbest_models"):
            value = getattr(args, option)
            if isinstance(value, (list, tuple)) and len(value) > 1:
                raise ValueError(f"{option}: give one, not {len(value)}: only the first is right")
        output_dir = Path(args.output_dir)
        checkpoints = (output_dir / "checkpoint.pth", output_dir / MIDEPOCH_FILE)
        if args.resume and any(file.exists() for file in checkpoints):
            refuse_changed_config(output_dir / "config.yaml", vars(args))
        if args.use_deepspeed:
            # Here, as it warns where DeepSpeed is not installed. ESPnet itself knows its own only.
            from espnet_ssr.train.deepspeed import SSRDeepSpeedTrainer

            cls.trainer, args.use_deepspeed = SSRDeepSpeedTrainer, False
        super().main_worker(args)

    @classmethod
    def refuse_unsupported(cls, args: argparse.Namespace) -> None:
        """Name the options of ESPnet that would have no effect here.

        Raises:
            ValueError: one of them is set.
        """
        parser = cls.get_parser()
        for option in UNSUPPORTED_OPTIONS:
            value, default = getattr(args, option), parser.get_default(option)
            if value != default:
                raise ValueError(
                    f"{option}: {value} is not supported: leave it out (see doc/scale.md)"
                )

    @classmethod
    def build_sequence_iter_factory(
        cls, args: argparse.Namespace, iter_options: IteratorOptions, mode: str
    ) -> BatchIterFactory:
        """ESPnet's, with tables that are read where they are and batches planned as arrays."""
        rank, world_size = 0, 1
        if iter_options.distributed:
            rank, world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        shapes = read_matching_shapes(iter_options.shape_files)
        plan = plan_batches(
            shapes,
            iter_options.batch_type,
            batch_size=iter_options.batch_size,
            batch_bins=iter_options.batch_bins,
            batch_tokens=args.batch_tokens,
            min_size=world_size if iter_options.distributed else args.min_batch_size,
        )
        if iter_options.num_batches is not None:
            plan = plan.first(iter_options.num_batches)
        sizes = np.diff(plan.edges)
        logging.info(
            f"[{mode}] {len(shapes[0])} utterances in {len(plan)} batches of {sizes.min()} to "
            f"{sizes.max()}, on average {sizes.mean():.1f}"
        )
        if sizes.min() < world_size:
            raise ValueError(f"a batch of {sizes.min()} for {world_size} processes: see batch_size")
        dataset = TableDataset(
            iter_options.data_path_and_name_and_type,
            shapes[0],
            iter_options.preprocess_fn,
            float_dtype=args.train_dtype,
        )
        logging.info(f"[{mode}] {dataset}")
        cls.check_task_requirements(
            dataset, args.allow_variable_data_keys, train=iter_options.train
        )
        return BatchIterFactory(
            dataset,
            plan,
            iter_options.collate_fn,
            num_iters_per_epoch=iter_options.num_iters_per_epoch,
            seed=args.seed,
            shuffle=iter_options.train,
            max_skipped=args.max_skipped,
            rank=rank,
            world_size=world_size,
            num_workers=args.num_workers,
            pin_memory=args.ngpu > 0,
        )

    @classmethod
    def build_optimizers(cls, args: argparse.Namespace, model: torch.nn.Module):
        # The last method that is called before ESPnet loads these files.
        if not args.ignore_init_mismatch:
            for option in args.init_param:
                check_init_param(model, option)
        return super().build_optimizers(args, model)

    @classmethod
    def build_streaming_iterator(
        cls,
        data_path_and_name_and_type,
        preprocess_fn,
        collate_fn,
        batch_size: int = 1,
        dtype: str = "float32",
        num_workers: int = 1,
        inference: bool = False,
        **unused,
    ) -> DataLoader:
        """Batches in the order of the first file, for statistics and inference.

        ESPnet's demands the same keys in all files; here features may be there for more
        utterances than tokens are (some were not aligned).
        """
        dataset = ESPnetDataset(
            data_path_and_name_and_type, preprocess=preprocess_fn, float_dtype=dtype
        )
        cls.check_task_requirements(dataset, False, train=False, inference=inference)
        keys = list(read_keyed(data_path_and_name_and_type[0][0]))
        batches = [keys[i : i + batch_size] for i in range(0, len(keys), batch_size)]
        return DataLoader(
            dataset, batch_sampler=batches, collate_fn=collate_fn, num_workers=num_workers
        )

    @classmethod
    def with_defaults(cls, options: Mapping[str, Any]) -> argparse.Namespace:
        """Options of a training; those that are newer than it have their defaults."""
        # Not get_default_config: it reads the command line.
        return argparse.Namespace(**{**vars(cls.get_parser().parse_args([])), **options})

    @classmethod
    def build_model_from_file(cls, config_file=None, model_file=None, device="cpu", head_conf=None):
        """Build a trained model for inference.

        Unlike ESPnet's: the file's entries must be exactly the model's, and nothing but tensors
        is unpickled.

        Args:
            config_file: ``config.yaml`` of the training; default: beside ``model_file``.
            model_file: the checkpoint, or None for initial weights.
            device: a torch device.
            head_conf: what inference sets otherwise, see ``change_head``.

        Returns:
            the model in evaluation mode, and the training's arguments.
        """
        config_file = Path(config_file or Path(model_file).parent / "config.yaml")
        with open(config_file, encoding="utf-8") as f:
            config = yaml.safe_load(f)
        change_head(config, head_conf or {})
        args = cls.with_defaults(config)
        model = cls.build_model(args)
        if model_file is not None:
            load_trained_weights(model, model_file)
        return model.to(device).eval(), args


def refuse_changed_config(config_file: Path, options: dict[str, Any]) -> None:
    """Stop before resuming with other options than the training began with.

    ESPnet would go on with the old learning rate (it is in the optimizer's state) while
    ``config.yaml`` records the new one.
    """
    with open(config_file, encoding="utf-8") as f:
        before = yaml.safe_load(f)
    # Through YAML and back, as tuples become lists in the file.
    now = yaml.safe_load(yaml.safe_dump(_plain(options)))
    changes = [
        f"{name}: {before[name]} -> {now[name]}"
        for name in sorted(before.keys() & now.keys())
        if before[name] != now[name] and not name.startswith(("dist", "wandb"))
        if name not in RESUMABLE_OPTIONS
    ]
    if changes:
        raise ValueError(
            f"cannot resume: {config_file.parent} was begun with other options "
            f"({'; '.join(changes)}). Give this run a tag of its own, or remove the folder."
        )


def _plain(value):
    """``value`` in the types that YAML has."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
