"""Last changes to an example, and a last look at it, before it goes into a batch."""

from __future__ import annotations

import numpy as np

from espnet_ssr.data.pause import cut_pauses
from espnet_ssr.data.replay import TextReplay


class PrepareExample:
    """ESPnet's ``preprocess_fn`` for connectors: pauses cut if that was asked for, boundaries of
    segments moved and text added in training, then checked.

    Args:
        frame_rate: of ``feats``, Hz; sample_rate: of ``speech``, Hz.
        jitter: standard deviation in seconds of what the ends of segments are moved by.
        replay: gives ``replay_id``, text to be trained on beside the utterance.
    """

    def __init__(
        self,
        frame_rate: float,
        sample_rate: int,
        jitter: float = 0.0,
        replay: TextReplay | None = None,
    ):
        self._rates = frame_rate, sample_rate
        self._jitter = jitter
        self._replay = replay

    def __call__(self, utt_id: str, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if "pause" in data:
            data = cut_pauses(data, *self._rates)
        if self._jitter and "token_end" in data:
            data = {**data, "token_end": jitter_ends(data["token_end"], self._jitter)}
        if self._replay and "token_id" in data:
            data = {**data, "replay_id": self._replay.draw(len(data["token_id"]))}
        return check_example(utt_id, data)


def jitter_ends(ends: np.ndarray, deviation: float) -> np.ndarray:
    """Move the ends ``(M,)`` of segments by normal noise: what boundaries without a transcript are
    like.

    The order of the segments stays, and so does the end of the last one. The noise is NumPy's
    global one, which ESPnet seeds anew in every epoch and worker.
    """
    noise = np.random.normal(0.0, deviation, len(ends)).astype(ends.dtype)
    noise[-1:] = 0
    return np.sort(np.clip(ends + noise, 0, ends[-1:].sum()))


def check_example(utt_id: str, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return ``data`` if it can be trained on.

    Raises:
        ValueError: names the utterance, what is wrong and the stage to run again.
    """
    for name in ("feats", "speech"):
        if name in data and not np.isfinite(data[name]).all():
            raise ValueError(f"{utt_id}: {name} has NaN or infinite values: run stage 6 again")
    tokens, ends = data.get("token_id"), data.get("token_end")
    if tokens is not None and ends is not None and len(tokens) != len(ends):
        raise ValueError(
            f"{utt_id}: {len(tokens)} token ids but {len(ends)} end times: run stage 5 again"
        )
    if "feats" in data and tokens is not None and len(tokens) > len(data["feats"]):
        frames = len(data["feats"])
        raise ValueError(f"{utt_id}: {len(tokens)} tokens in {frames} frames: run stage 5 again")
    return data
