"""Distillation steps of a training's model on batches of real features, for ``bench/ddp.py`` and
``bench/pipeline.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import kaldiio
import numpy as np
import torch

from espnet_ssr.batching import length_buckets
from espnet_ssr.datadir import read_keyed
from espnet_ssr.evaluate.files import read_token_ids
from espnet_ssr.model.distill import SSRDistillModel
from espnet_ssr.task.distill import SSRDistillTask

Batch = dict[str, torch.Tensor]


def load_batches(config: dict, feats_scp: str, seg_dir: Path) -> list[Batch]:
    """All utterances that have segments, in batches of like length of the training's size."""
    ids, ends = read_token_ids(seg_dir / "token_id"), read_keyed(seg_dir / "token_end")
    feats = kaldiio.load_scp(feats_scp)
    lengths = {u: len(feats[u]) for u in ids if u in feats}
    width = feats[next(iter(lengths))].shape[1]
    batches = []
    for names in length_buckets(lengths, config["batch_bins"] // width):
        columns = {
            "feats": [torch.from_numpy(np.array(feats[u])) for u in names],
            "token_id": [torch.tensor(ids[u]) for u in names],
            "token_end": [torch.tensor([float(t) for t in ends[u].split()]) for u in names],
        }
        batch = {}
        for name, rows in columns.items():
            batch[name] = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
            batch[f"{name}_lengths"] = torch.tensor([len(row) for row in rows])
        batches.append(batch)
    return batches


def count_seconds(batch: Batch, frame_rate: float) -> float:
    """Speech in a batch."""
    return float(batch["feats_lengths"].sum()) / frame_rate


def build_model(config: dict) -> SSRDistillModel:
    """The model of a training's ``config.yaml``, which must be one of features, untrained."""
    return SSRDistillTask.build_model(SSRDistillTask.with_defaults(config))


def build_step(
    config: dict, model: SSRDistillModel, wrap: Callable = lambda model: model
) -> Callable[[Batch], None]:
    """A step of the training of a model: forward, backward, update.

    Args:
        wrap: what a launcher does to the model, such as DistributedDataParallel.
    """
    args = SSRDistillTask.with_defaults(config)
    (optimizer,) = SSRDistillTask.build_optimizers(args, model)
    wrapped = wrap(model.train())

    def step(batch: Batch) -> None:
        optimizer.zero_grad()
        loss, _, weight = wrapped(**batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(wrapped.parameters(), args.grad_clip)
        optimizer.step()

    return step
