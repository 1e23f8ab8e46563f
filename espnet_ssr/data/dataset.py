"""Utterances of training and validation, read from tables where they are; damaged ones left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import kaldiio
import numpy as np
import soundfile
from espnet2.train.dataset import AbsDataset

from espnet_ssr.data.check_audio import count_missing_bytes, is_plain_wav
from espnet_ssr.data.format import DropUtterance
from espnet_ssr.data.shapes import Shapes
from espnet_ssr.data.sorted_table import SortedTable

Example = tuple[str, dict[str, np.ndarray]]


class Batch(NamedTuple):
    """What a batch is made of.

    Attributes:
        rows: of its utterances.
        spare: rows of others of like length, should all of these be damaged.
        seed: numbers that seed what is drawn for it.
    """

    rows: list[int]
    spare: list[int]
    seed: tuple[int, ...]


class Skipped(NamedTuple):
    """An utterance that could not be read, why in a word, and details."""

    utt_id: str
    cause: str
    details: str


class Examples(NamedTuple):
    """The utterances of a batch, and those that were left out of it."""

    read: list[Example]
    skipped: list[Skipped]


def read_sound(path: str) -> np.ndarray:
    """Mono audio ``(N,)``, float32.

    Raises:
        DropUtterance: it cannot be read to its end.
    """
    try:
        with soundfile.SoundFile(path) as audio:
            missing = is_plain_wav(audio) and count_missing_bytes(Path(path))
            samples = audio.read(dtype="float32")
            expected = audio.frames
    except (OSError, ValueError, soundfile.LibsndfileError) as error:
        raise DropUtterance("unreadable_audio", f"{path}: {error}") from None
    if missing or len(samples) < expected:
        raise DropUtterance("truncated_audio", f"{path}: {len(samples)} samples")
    if samples.ndim != 1:
        raise DropUtterance("not_mono", f"{path} has {samples.shape[1]} channels: run stage 3")
    return samples


def read_ark(entry: str) -> np.ndarray:
    """A matrix of a Kaldi archive, ``FILE:OFFSET``.

    Raises:
        DropUtterance: there is none.
    """
    try:
        matrix = kaldiio.load_mat(entry)
    except Exception as error:  # noqa: BLE001 (damaged bytes can make kaldiio raise anything)
        raise DropUtterance("unreadable_features", f"{entry}: {error!r}") from None
    if not isinstance(matrix, np.ndarray):
        raise DropUtterance("unreadable_features", f"{entry} is no matrix")
    return matrix


def read_ints(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=np.int64)


def read_floats(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=np.float64)


READERS: dict[str, Callable[[str], np.ndarray | str]] = {
    "sound": read_sound,
    "kaldi_ark": read_ark,
    "text_int": read_ints,
    "text_float": read_floats,
    "text": str,
}
"""By ESPnet's name of the type, what makes an utterance's value of its line in the table."""


class TableDataset(AbsDataset):
    """What ``espnet2.train.dataset.ESPnetDataset`` gives, without its dict of every table: 11
    million utterances would be tens of GB in each process.

    Args:
        files: ``(path, name, type)``, of the types in ``READERS``.
        utterances: which there are; an utterance is asked for by its row.
        preprocess: called with the utterance and what was read; gives arrays.
        float_dtype: of arrays of floating-point numbers.

    Raises:
        ValueError: a type that is not supported, two files of one name, or see ``SortedTable``.
    """

    def __init__(
        self,
        files: Sequence[tuple[str, str, str]],
        utterances: Shapes,
        preprocess: Callable[[str, dict], dict[str, np.ndarray]],
        float_dtype: str = "float32",
    ):
        self._tables: dict[str, SortedTable] = {}
        self._readers = {}
        for path, name, kind in files:
            if kind not in READERS:
                raise ValueError(f"{path},{name},{kind}: the type must be one of {[*READERS]}")
            if name in self._tables:
                raise ValueError(f"{path},{name},{kind}: there is another file for {name}")
            self._tables[name], self._readers[name] = SortedTable(path), READERS[kind]
        self._files = files
        self._utterances = utterances
        self._preprocess = preprocess
        self._float_dtype = float_dtype

    def __len__(self) -> int:
        return len(self._utterances)

    def __repr__(self) -> str:
        files = "".join(f"\n  {name}: {path} ({kind})" for path, name, kind in self._files)
        return f"{len(self)} utterances of {files}\n  preprocess: {self._preprocess}"

    def has_name(self, name: str) -> bool:
        return name in self._tables

    def names(self) -> tuple[str, ...]:
        return tuple(self._tables)

    def __getitem__(self, row: int) -> Example:
        """The utterance of a row.

        Raises:
            DropUtterance: it is damaged.
        """
        utt_id = self._utterances.utt_id(row)
        try:
            data = {name: self._read(name, utt_id) for name in self._tables}
            data = self._preprocess(utt_id, data)
        except ValueError as error:
            raise DropUtterance("bad_example", str(error)) from None
        return utt_id, {name: self._cast(value) for name, value in data.items()}

    def _read(self, name: str, utt_id: str) -> np.ndarray | str:
        try:
            value = self._tables[name][utt_id]
        except KeyError as error:
            raise DropUtterance("no_line", error.args[0]) from None
        return self._readers[name](value)

    def _cast(self, value: np.ndarray) -> np.ndarray:
        dtype = self._float_dtype if value.dtype.kind == "f" else np.int64
        # Writable, as PyTorch wants them; what kaldiio reads is not.
        return np.require(value, dtype, "W")

    def __getitems__(self, batch: Batch) -> Examples:
        """The utterances of a batch, at least one.

        What is drawn depends on the batch alone, not on what a worker drew before: a training that
        is resumed, or has other workers, draws the same.

        Raises:
            RuntimeError: all of them, and the spare ones, are damaged.
        """
        np.random.seed(np.random.SeedSequence(batch.seed).generate_state(4))
        found = Examples([], [])
        for row in batch.rows:
            self._add(row, found)
        for row in batch.spare:
            if found.read:
                break
            self._add(row, found)
        if not found.read:
            utt_id, cause, details = found.skipped[0]
            raise RuntimeError(
                f"none of {len(found.skipped)} utterances can be read; the first is "
                f"{utt_id}: {cause}: {details}"
            )
        return found

    def _add(self, row: int, found: Examples) -> None:
        try:
            found.read.append(self[row])
        except DropUtterance as drop:
            found.skipped.append(Skipped(self._utterances.utt_id(row), *drop.args))
