"""Transcripts as labels, for training aligners."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np

from espnet_ssr.align.labels import AbsLabels
from espnet_ssr.data.preprocess import check_example
from espnet_ssr.datadir import read_keyed, write_keyed


class EncodeLabels:
    """ESPnet's ``preprocess_fn``: replaces ``text`` by ``label``, the ids of its labels."""

    def __init__(self, labels: AbsLabels):
        self._labels = labels

    def __call__(self, utt_id: str, data: dict) -> dict[str, np.ndarray]:
        data = dict(data)
        ids, _ = self._labels.encode(data.pop("text"))
        return check_example(utt_id, {**data, "label": np.array(ids, dtype=np.int64)})


def read_trainable(
    text: Path, feats_scp: Path, labels: AbsLabels
) -> tuple[dict[str, int], dict[str, str]]:
    """Which utterances an aligner can be trained on.

    Args:
        feats_scp: beside it is ``utt2num_frames``.

    Returns:
        frames by utterance, and the cause by utterance for those that are left out.
    """
    num_frames = read_keyed(feats_scp.with_name("utt2num_frames"))
    frames, skipped = {}, {}
    for utt_id, transcript in read_keyed(text).items():
        if utt_id not in num_frames:
            skipped[utt_id] = "no_features"
            continue
        ids, _ = labels.encode(transcript)
        # A blank separates equal neighbours.
        needed = len(ids) + sum(a == b for a, b in zip(ids, ids[1:], strict=False))
        if not ids:
            skipped[utt_id] = "no_label"
        elif needed > int(num_frames[utt_id]):
            skipped[utt_id] = "too_short"
        else:
            frames[utt_id] = int(num_frames[utt_id])
    return frames, skipped


def write_shapes(folder: Path, part: str, frames: dict[str, int], skipped: dict[str, str]) -> str:
    """Write ESPnet's shape file ``<part>_shape`` and ``<part>_skipped``; returns the former.

    Raises:
        ValueError: nothing is left.
    """
    counts = "".join(f", left out {n} {cause}" for cause, n in Counter(skipped.values()).items())
    if not frames:
        raise ValueError(f"{part}: no utterance can be trained on{counts}")
    logging.info(f"{part}: {len(frames)} utterances{counts}")
    write_keyed(folder / f"{part}_skipped", skipped)
    write_keyed(folder / f"{part}_shape", {u: str(n) for u, n in frames.items()})
    return str(folder / f"{part}_shape")
