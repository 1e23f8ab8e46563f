"""Aligners that ``ssr_align_train`` trained, built from their checkpoint without ESPnet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import yaml

from espnet_ssr.align.abs import AbsAligner
from espnet_ssr.align.ctc import CTCAligner, posterior_windows, windowed_posteriors
from espnet_ssr.align.ctc_network import CTCNetwork
from espnet_ssr.align.labels import AbsLabels, load_labels
from espnet_ssr.align.unity2 import UnitY2Aligner, UnitY2Network
from espnet_ssr.conf import build_from_conf
from espnet_ssr.tensors import read_tensors

NETWORKS: dict[str, type[torch.nn.Module]] = {"ctc": CTCNetwork, "unity2": UnitY2Network}
"""Name used in configs -> class; ``forward(feats, feats_lengths, labels, label_lengths)`` gives
losses by name."""

LABELS_FILE = "labels.json"


def load_trained_aligner(model: str, device: str = "cpu") -> AbsAligner:
    """Build the aligner of a training.

    Args:
        model: a checkpoint of ``ssr_align_train``; beside it ``config.yaml`` and ``labels.json``.
        device: a torch device.
    """
    network, labels, config = load_trained_network(model)
    network.to(device)
    if config["aligner"] == "unity2":
        return UnitY2Aligner(network, labels, config["frame_rate"], config["frame_offset"])
    posteriors = NetworkPosteriors(network, config["frame_rate"])
    return CTCAligner(posteriors, labels, config["frame_rate"], config["frame_offset"])


def load_trained_network(model: str) -> tuple[CTCNetwork | UnitY2Network, AbsLabels, dict]:
    """The network of a training, in eval mode, its labels, and the training's config.

    Raises:
        FileNotFoundError: there is no such checkpoint.
    """
    if not Path(model).is_file():
        raise FileNotFoundError(
            f"no aligner {model}: train it first (./run.sh --aligner char_ctc --stop_stage 4)"
        )
    folder = Path(model).parent
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    labels = load_labels(folder / LABELS_FILE)
    # Names of the model that was trained, which has nothing but the network.
    state = {name.removeprefix("network."): value for name, value in read_tensors(model).items()}
    conf = dict(config["aligner_conf"])
    if conf.get("units") is not None:  # the file may be gone; the checkpoint has the centroids
        conf["units"] = len(state["frame_input.centroids"])
    network = build_network(config["aligner"], conf, config["input_size"], labels)
    _load_weights(network, state, model)
    return network.eval(), labels, config


def build_network(
    name: str, conf: dict, input_size: int, labels: AbsLabels
) -> CTCNetwork | UnitY2Network:
    """An untrained network for features of ``input_size`` and these labels."""
    return build_from_conf(
        NETWORKS[name], conf, "aligner_conf", input_size=input_size, num_labels=len(labels)
    )


def _load_weights(network: torch.nn.Module, state: dict[str, torch.Tensor], model: str) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise RuntimeError(f"{model}: not of the config.yaml beside it: {reason}") from None


class NetworkPosteriors:
    """A ``CTCNetwork`` as what ``CTCAligner`` asks for.

    Args:
        frame_rate: of the features, Hz.
    """

    def __init__(self, network: CTCNetwork, frame_rate: float):
        self._network = network
        self._windows = posterior_windows(frame_rate)

    @torch.inference_mode()
    def __call__(self, signals: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = [len(x) for x in signals]
        return windowed_posteriors(self._score, self._windows, signals, lengths)

    def _score(self, signals: Sequence[np.ndarray]) -> list[torch.Tensor]:
        device = self._network.prior.device
        feats = [torch.from_numpy(np.array(x, dtype=np.float32)).to(device) for x in signals]
        lengths = torch.tensor([len(x) for x in feats], device=device)
        padded = torch.nn.utils.rnn.pad_sequence(feats, batch_first=True)
        scores = self._network.scores(padded, lengths)
        return [row[: len(x)] for row, x in zip(scores, feats, strict=True)]
