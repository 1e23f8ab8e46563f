"""Recordings for ``bench/align.py``: posteriors of utterances, joined to the length wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import kaldiio
import numpy as np
import torch

from espnet_ssr.align.trained import load_trained_aligner
from espnet_ssr.datadir import read_keyed

FRAME_RATE = 50
NUM_SYMBOLS = 32
LABELS_A_SECOND = 14


@dataclass(frozen=True)
class Recording:
    """CTC log-probabilities ``(T, V)``, float32, and labels ``(L,)``; blank is 0."""

    log_probs: np.ndarray
    labels: np.ndarray

    @property
    def seconds(self) -> float:
        return len(self.log_probs) / FRAME_RATE

    @property
    def cells(self) -> int:
        """Frames times labels."""
        return len(self.log_probs) * len(self.labels)


def load_recordings(model: str, feats_scp: str, text: str) -> list[Recording]:
    """Run a trained CTC aligner over utterances that have features and a text."""
    aligner = load_trained_aligner(model)
    texts = read_keyed(text)
    recordings = []
    for utt_id, feats in kaldiio.load_scp(feats_scp).items():
        labels, _ = aligner.labels.encode(texts.get(utt_id, ""))
        if labels:
            log_probs, _ = aligner.posteriors([feats])
            recordings.append(Recording(log_probs[0].numpy(), np.array(labels)))
    return recordings


def make_recordings(number: int = 400) -> list[Recording]:
    """Made-up utterances of 1 to 8 s, as peaky as those of a CTC network."""
    rng = np.random.default_rng(0)
    return [make_recording(seconds, rng) for seconds in rng.uniform(1, 8, number)]


def make_recording(seconds: float, rng: np.random.Generator) -> Recording:
    """One label in every 14 is missed; the others peak in one frame, often in two."""
    num_frames = int(seconds * FRAME_RATE)
    labels = rng.integers(1, NUM_SYMBOLS, int(seconds * LABELS_A_SECOND))
    peaks = np.sort(rng.choice(num_frames, len(labels), replace=False))
    logits = rng.gumbel(size=(num_frames, NUM_SYMBOLS))
    logits[:, 0] += 8
    heard = rng.random(len(labels)) < 13 / 14
    logits[peaks[heard], labels[heard]] += 11
    logits[np.minimum(peaks + 1, num_frames - 1)[heard], labels[heard]] += rng.normal(4, 4)
    log_probs = torch.from_numpy(logits).log_softmax(dim=1).float().numpy()
    return Recording(log_probs, labels)


def join(recordings: Sequence[Recording], first: int, seconds: float) -> Recording:
    """Whole recordings in a row, from ``first`` on and round again, until ``seconds`` are reached.
    Longer ones than that are not used unless there are no others."""
    pool = [r for r in recordings if r.seconds <= seconds] or recordings
    chosen: list[Recording] = []
    while sum(r.seconds for r in chosen) < seconds:
        chosen.append(pool[(first + len(chosen)) % len(pool)])
    return Recording(
        np.concatenate([recording.log_probs for recording in chosen]),
        np.concatenate([recording.labels for recording in chosen]),
    )
