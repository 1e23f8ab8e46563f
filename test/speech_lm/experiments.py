"""Tiny experiments, and an aligner that hears a word in every beep."""

import numpy as np
import torch
import yaml

from espnet_ssr.align.abs import AbsAligner, AlignError
from espnet_ssr.align.alignment import Alignment, Span
from espnet_ssr.align.labels import CharLabels
from espnet_ssr.align.trained import build_network
from espnet_ssr.task.distill import SSRDistillTask
from espnet_ssr.task.lm import SSRLMTask, complete_options

RATE = 16000
HOP = 320
MEAN = ["--connector", "mean", "--connector_conf", "hidden_size=8"]
HULL = ["--head", "hull", "--head_conf", "key_size=8", "--head_conf", "channels=8"]


def make_sound(seconds, *beeps):
    """Silence with noise at ``(start, end)`` in seconds."""
    samples = np.zeros(round(seconds * RATE), dtype=np.float32)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, len(samples)).astype(np.float32)
    for start, end in beeps:
        part = slice(round(start * RATE), round(end * RATE))
        samples[part] = noise[part]
    return samples


class BeepAligner(AbsAligner):
    """Words are beeps: ``hi`` if nobody says what."""

    textless = True

    def align_batch(self, utterances):
        return [self._align(u) for u in utterances]

    def _align(self, utterance):
        frames = utterance.signal[: len(utterance.signal) // HOP * HOP].reshape(-1, HOP)
        loud = np.concatenate([[False], np.abs(frames).max(1) > 0.1, [False]])
        edges = np.flatnonzero(loud[1:] != loud[:-1]).reshape(-1, 2) * HOP / RATE
        words = ["hi"] * len(edges) if utterance.text is None else utterance.text.split()
        if not words:
            return AlignError("no_speech", "no beep")
        if len(words) != len(edges):
            return AlignError("no_path", f"{len(words)} words, {len(edges)} beeps")
        spans = [Span(w, b, e) for w, (b, e) in zip(words, edges.tolist(), strict=True)]
        return {"word": Alignment(utterance.utt_id, spans)}


def save_experiment(folder, causal_lm, *options, task=SSRDistillTask):
    """Write ``config.yaml`` and a checkpoint of random weights; returns its path."""
    # ctc_hull has no sizes.
    default = [] if "ctc_hull" in options else MEAN
    args = task.get_parser().parse_args(
        ["--output_dir", "exp", "--llm", causal_lm, *default, *options]
    )
    if task is SSRLMTask:
        complete_options(args)
    torch.manual_seed(1)
    model = task.build_model(args)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    torch.save(model.state_dict(), folder / "model.pth")
    config = {**vars(args), "best_model_criterion": None}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder / "model.pth"


def save_ctc_aligner(folder, labels=None):
    """An untrained CTC aligner of the tiny encoder's features; returns its checkpoint's name."""
    torch.manual_seed(0)
    labels = labels or CharLabels.build(["hijk"])
    conf = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "feedforward_size": 8}
    network = build_network("ctc", conf, 8, labels)
    config = {"aligner": "ctc", "aligner_conf": conf, "input_size": 8}
    config |= {"frame_rate": 50.0, "frame_offset": 0.0}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    labels.save(folder / "labels.json")
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, folder / "valid.pth")
    return str(folder / "valid.pth")
