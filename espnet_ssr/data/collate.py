"""Examples to batches, without espnet2's collate module (it pulls in text-to-speech packages)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence


def collate(
    examples: Sequence[tuple[str, dict[str, np.ndarray]]],
) -> tuple[list[str], dict[str, torch.Tensor]]:
    """Pad a list of ``(utt_id, {name: array (L, ...)})`` at the end with zeros.

    Returns:
        the utterance ids and ``{name: (B, L_max, ...), name_lengths: (B,)}``.
    """
    utt_ids = [utt_id for utt_id, _ in examples]
    batch = {}
    for name in examples[0][1]:
        arrays = [torch.as_tensor(data[name]) for _, data in examples]
        batch[name] = pad_sequence(arrays, batch_first=True)
        batch[f"{name}_lengths"] = torch.tensor([len(array) for array in arrays])
    return utt_ids, batch
