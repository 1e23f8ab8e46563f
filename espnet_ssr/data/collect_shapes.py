"""Stage 7: shapes for the batches, from the lengths that stages 3 and 6 left; no data are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from espnet_ssr.data.pause import cut_pauses
from espnet_ssr.data.sorted_table import SortedTable
from espnet_ssr.datadir import write_lines


@dataclass(frozen=True)
class Inputs:
    """What the model reads of an utterance.

    Attributes:
        name: ``feats`` or ``speech``.
        lengths: file of how many frames or samples there are, ``utt2num_frames`` or
            ``utt2num_samples``.
        rate: of them a second.
        width: of features; None for samples.
    """

    name: str
    lengths: Path
    rate: float
    width: int | None = None


def write_shapes(
    folder: Path,
    token_id: Path,
    inputs: Inputs,
    pause: Path | None = None,
    frame_rate: float = 50.0,
) -> None:
    """Write ``<name>_shape`` and ``token_id_shape`` of the utterances that have tokens: what
    ESPnet's "collect stats" would write after it had read and preprocessed all of them.

    Args:
        pause: what will be cut out (see ``espnet_ssr.data.pause``).
        frame_rate: of the encoder, Hz.

    Raises:
        KeyError: an utterance with tokens has no length.
        ValueError: names the file and line that is not as it should be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    token_shape = folder / "token_id_shape"
    counts = (f"{u} {len(ids.split())}" for u, ids in SortedTable(token_id).items())
    write_lines(token_shape, counts)
    lengths = SortedTable(inputs.lengths).values_of(_keys(token_shape))
    cuts = SortedTable(pause).values_of(_keys(token_shape)) if pause else repeat(None)
    width = "" if inputs.width is None else f",{inputs.width}"
    shapes = (
        f"{utt_id} {_shorten(int(length), cut, inputs, frame_rate)}{width}"
        for utt_id, length, cut in zip(_keys(token_shape), lengths, cuts, strict=False)
    )
    write_lines(folder / f"{inputs.name}_shape", shapes)


def _keys(path: Path) -> Iterator[str]:
    return (key for key, _ in SortedTable(path).items())


def _shorten(length: int, cut: str | None, inputs: Inputs, frame_rate: float) -> int:
    """What is left of ``length`` frames or samples without the pauses."""
    if cut is None:
        return length
    example = {
        inputs.name: np.zeros(length, dtype=bool),
        "pause": np.array(cut.split(), dtype=np.float64),
        "token_end": np.zeros(0),
    }
    return len(cut_pauses(example, frame_rate, inputs.rate)[inputs.name])
