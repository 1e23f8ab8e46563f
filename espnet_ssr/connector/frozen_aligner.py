"""What connectors share that have a trained CTC aligner inside."""

from __future__ import annotations

import torch

from espnet_ssr.align.ctc_network import CTCNetwork
from espnet_ssr.align.labels import AbsLabels
from espnet_ssr.align.trained import load_trained_network

BLANK = 0


class FrozenAlignerMixin:
    """Of a connector: an aligner that is not trained, and not in checkpoints."""

    aligner: CTCNetwork

    def load_aligner(self, model: str, input_size: int) -> AbsLabels:
        """Set ``aligner``; returns its labels.

        Args:
            model: a checkpoint of a CTC aligner (``ssr_align_train``) of the same encoder; beside
                it ``config.yaml`` and ``labels.json``.
            input_size: width of the features.

        Raises:
            ValueError: the aligner is of another kind or takes features of another width.
        """
        network, labels, config = load_trained_network(model)
        if not isinstance(network, CTCNetwork):
            raise ValueError(
                f"{model}: an aligner of the kind {config['aligner']}; {type(self).__name__} needs "
                "one that was trained with 'aligner: ctc'"
            )
        if config["input_size"] != input_size:
            raise ValueError(
                f"{model}: takes features of width {config['input_size']}, and these have "
                f"{input_size}: train an aligner on features of this encoder"
            )
        self.aligner = network.requires_grad_(False)
        return labels

    def train(self, mode: bool = True) -> torch.nn.Module:
        """Set the mode of everything but the aligner, which always is as in alignment."""
        super().train(mode)
        self.aligner.eval()
        return self
