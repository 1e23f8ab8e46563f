"""Hugging Face datasets on disk: what ``save_to_disk`` wrote, or a folder of parquet files.

Audio inside of the tables is written out as files. It is not decoded here, so ``datasets`` needs no
decoder of audio.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_ssr.progress import Progress
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports.collect import Imported, make_utt_id
from espnet_ssr.recipes.imports.columns import (
    SPEAKER,
    choose_column,
    need_text_column,
    set_name,
)
from espnet_ssr.recipes.imports.sets import Parts

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

ROWS_A_TIME = 100


def import_hf_dataset(
    folder: Path,
    audio_dir: Path,
    text_column: str | None = None,
    speaker_column: str | None = None,
) -> Parts:
    """Read a dataset, with a part for each of its splits.

    Causes of what is left out are those of `Imported.add_file` and ``no_audio``.

    Args:
        audio_dir: where audio of the tables is written: ``<part>/<utterance>.<ending>``.
        text_column: None: the first of `columns.TEXT` that is there.
        speaker_column: None: the first of `columns.SPEAKER` that is there, if any.

    Raises:
        CorpusError: it is no dataset, a column is missing, or ``datasets`` is not installed.
    """
    parts = {}
    for name, split in open_splits(folder).items():
        part = set_name(str(name))
        try:
            parts[part] = read_split(split, audio_dir / part, text_column, speaker_column)
        except CorpusError as error:
            raise CorpusError(f"{folder}, split {name}: {error}") from None
    return parts


def open_splits(folder: Path) -> dict[str, Dataset | IterableDataset]:
    """The splits of a dataset by name; a dataset without splits is all ``train``.

    Raises:
        CorpusError: as `import_hf_dataset`.
    """
    try:
        import datasets
    except ModuleNotFoundError:
        raise CorpusError("no module datasets: run 'make -C tools import'") from None
    if not folder.is_dir():
        raise CorpusError(f"{folder.absolute()}: no such folder")
    if (folder / "dataset_dict.json").is_file():
        return dict(datasets.load_from_disk(folder))
    if (folder / "state.json").is_file():
        return {"train": datasets.load_from_disk(folder)}
    if not any(folder.rglob("*.parquet")):
        raise CorpusError(
            f"{folder.absolute()}: neither what save_to_disk writes nor parquet files; of audio "
            "files with metadata.csv, say audiofolder in place of hf_dataset"
        )
    # Streaming, or all of it would be copied to a cache first.
    return dict(datasets.load_dataset(str(folder), streaming=True))


def read_split(
    split: Dataset | IterableDataset,
    audio_dir: Path,
    text_column: str | None,
    speaker_column: str | None,
) -> Imported:
    """The rows of a split.

    Raises:
        CorpusError: a column is missing.
    """
    features = split.features
    audio_columns = [name for name, kind in features.items() if type(kind).__name__ == "Audio"]
    if not audio_columns:
        raise CorpusError(f"no column of audio, only: {', '.join(features)}")
    text_column = need_text_column(features, text_column)
    speaker_column = choose_column(features, speaker_column, SPEAKER)
    imported = Imported()
    progress = Progress(getattr(split, "num_rows", 0), "read the dataset")
    for number, row in enumerate(iterate_rows(split), 1):
        progress.update()
        audio = row[audio_columns[0]] or {}
        speaker = str(row[speaker_column]) if speaker_column else ""
        utt_id = make_utt_id(speaker, Path(audio.get("path") or f"{number:08d}").stem)
        if utt_id in imported.utterances or utt_id in imported.dropped:
            # Only the folders, which are not kept, told the files apart.
            utt_id = f"{utt_id}-{number:08d}"
        path = find_audio(audio, audio_dir, utt_id)
        if path is None:
            imported.drop(utt_id, "no_audio", f"row {number}: {audio.get('path') or 'empty'}")
        else:
            imported.add_file(utt_id, str(row[text_column] or ""), path, speaker)
    return imported


def iterate_rows(split: Dataset | IterableDataset) -> Iterator[dict[str, Any]]:
    """Rows as they are in the tables; audio is ``{"bytes": ..., "path": ...}``."""
    for table in split.with_format("arrow").iter(ROWS_A_TIME):
        yield from table.to_pylist()


def find_audio(audio: dict[str, Any], audio_dir: Path, utt_id: str) -> Path | None:
    """The file of a row's audio, which is written if it is in the table; None if there is none."""
    name, data = audio.get("path") or "", audio.get("bytes")
    if not data:
        return Path(name) if name and Path(name).is_file() else None
    path = audio_dir / f"{utt_id}{Path(name).suffix or '.wav'}"
    if not path.is_file() or path.stat().st_size != len(data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return path
