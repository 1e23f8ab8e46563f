"""K-means of frame features: the units of UnitY2's aligner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import kaldiio
import numpy as np
from sklearn.cluster import MiniBatchKMeans


class Units(NamedTuple):
    """Result of ``train_units``.

    Attributes:
        centroids: ``(K, D)``, float32.
        inertia: mean squared distance of a frame to its centroid.
        unused: share of centroids that no frame of the sample is nearest to.
    """

    centroids: np.ndarray
    inertia: float
    unused: float


def train_units(frames: np.ndarray, num_units: int, seed: int = 0) -> Units:
    """Cluster ``frames`` ``(N, D)``.

    Raises:
        ValueError: fewer frames than units.
    """
    if len(frames) < num_units:
        raise ValueError(
            f"{num_units} units need as many frames, there are {len(frames)}: "
            "lower --num_units or raise --max_frames"
        )
    # A mini-batch of some frames a unit, as scikit-learn re-assigns units that got too few.
    kmeans = MiniBatchKMeans(num_units, batch_size=max(1024, 4 * num_units), random_state=seed)
    kmeans.fit(frames)
    used = len(np.unique(kmeans.labels_))
    return Units(
        kmeans.cluster_centers_.astype(np.float32),
        kmeans.inertia_ / len(frames),
        1 - used / num_units,
    )


def sample_frames(feats_scp: str | os.PathLike, max_frames: int, seed: int = 0) -> np.ndarray:
    """At most ``max_frames`` frames ``(N, D)`` of random utterances, as few files as needed."""
    rng = np.random.default_rng(seed)
    feats = kaldiio.load_scp(os.fspath(feats_scp))
    utt_ids = list(feats)
    if not utt_ids:
        raise ValueError(f"{feats_scp}: no utterances")
    sample, size = [], 0
    for i in rng.permutation(len(utt_ids)):
        sample.append(feats[utt_ids[i]])
        size += len(sample[-1])
        if size >= max_frames:
            break
    frames = np.concatenate(sample)
    return rng.permutation(frames)[:max_frames]


def write_centroids(path: Path, centroids: np.ndarray) -> None:
    """Write a ``.npy`` file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as f:
            np.save(f, centroids)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
