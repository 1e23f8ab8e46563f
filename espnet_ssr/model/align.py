"""The network of an aligner as a model that ESPnet trains."""

from __future__ import annotations

import torch
from espnet2.train.abs_espnet_model import AbsESPnetModel

from espnet_ssr.train.checkpoint import TrainedWeightsMixin


class SSRAlignModel(TrainedWeightsMixin, AbsESPnetModel):
    """Trains a network of ``espnet_ssr.align.trained.NETWORKS`` on transcripts without times.

    Args:
        network: gives its losses by name; ``loss`` is what is minimised.
    """

    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.network = network

    def forward(self, feats, feats_lengths, label, label_lengths, utt_id=None, **batch):
        """One batch.

        Args:
            feats: ``(B, T, D)``; feats_lengths: ``(B,)``.
            label: label ids ``(B, L)``; label_lengths: ``(B,)``.

        Returns:
            ``(loss, stats, weight)``; the weight is the number of labels.
        """
        losses = self.network(feats, feats_lengths, label, label_lengths)
        stats = {name: value.detach() for name, value in losses.items()}
        return losses["loss"], stats, label_lengths.sum()

    def collect_feats(self, **batch) -> dict[str, torch.Tensor]:
        """Nothing to collect: networks normalise their input themselves."""
        return {}
