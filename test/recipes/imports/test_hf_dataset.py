"""Hugging Face datasets on disk: those of save_to_disk, and parquet."""

import sys

import pytest
from sounds import write_tone

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports.hf_dataset import import_hf_dataset


@pytest.fixture
def dataset(tmp_path):
    """Three rows: audio in the table with a name and without, and none."""
    datasets = pytest.importorskip("datasets", reason="no datasets: run 'make -C tools import'")
    wav = write_tone(tmp_path / "a.wav").read_bytes()
    columns = {
        "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
        "sentence": datasets.Value("string"),
        "client_id": datasets.Value("int64"),
    }
    rows = [
        {"audio": {"bytes": wav, "path": "x/a.wav"}, "sentence": "One.", "client_id": 7},
        {"audio": {"bytes": wav, "path": None}, "sentence": "Two.", "client_id": 8},
        {"audio": None, "sentence": "Three.", "client_id": 8},
        {"audio": {"bytes": wav, "path": "y/a.wav"}, "sentence": "Four.", "client_id": 7},
    ]
    # As the library writes audio; Audio itself would want a decoder here.
    rows = datasets.Dataset.from_list(rows, features=datasets.Features(columns))
    return rows.cast(datasets.Features({**columns, "audio": datasets.Audio()}))


def write_splits(dataset, folder, kind):
    """`dataset` as train, and its first row as validation."""
    import datasets

    splits = {"train": dataset, "validation": dataset.select([0])}
    if kind == "disk":
        datasets.DatasetDict(splits).save_to_disk(folder)
    for name, split in splits.items() if kind == "parquet" else ():
        folder.mkdir(exist_ok=True)
        split.to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return folder


@pytest.mark.parametrize("kind", ["disk", "parquet"])
def test_splits(dataset, tmp_path, kind):
    parts = import_hf_dataset(write_splits(dataset, tmp_path / "hf", kind), tmp_path / "audio")
    assert {name: sorted(part.utterances) for name, part in parts.items()} == {
        "train": ["7-a", "7-a-00000004", "8-00000002"],
        "valid": ["7-a"],
    }
    train = parts["train"]
    assert train.utterances["8-00000002"].text == "two"
    assert train.utterances["8-00000002"].wav == f"{tmp_path}/audio/train/8-00000002.wav"
    assert train.utterances["7-a"].speaker == "7"
    assert train.dropped == {"8-00000003": ("no_audio", "row 3: empty")}


def test_without_splits_and_columns_by_name(dataset, tmp_path):
    dataset.rename_columns({"sentence": "said", "client_id": "who"}).save_to_disk(tmp_path / "hf")
    with pytest.raises(CorpusError, match="split train: which column is the text.*said, who"):
        import_hf_dataset(tmp_path / "hf", tmp_path / "audio")
    with pytest.raises(CorpusError, match="split train: no column words, only: audio, said, who"):
        import_hf_dataset(tmp_path / "hf", tmp_path / "audio", "words")
    parts = import_hf_dataset(tmp_path / "hf", tmp_path / "audio", "said")
    assert set(parts["train"].utterances) == {"unknown-a", "unknown-a-00000004", "unknown-00000002"}
    with_speakers = import_hf_dataset(tmp_path / "hf", tmp_path / "audio", "said", "who")
    assert "8-00000002" in with_speakers["train"].utterances


def test_no_audio_column(dataset, tmp_path):
    dataset.remove_columns("audio").save_to_disk(tmp_path / "hf")
    with pytest.raises(CorpusError, match="no column of audio, only: sentence, client_id"):
        import_hf_dataset(tmp_path / "hf", tmp_path / "audio")


def test_other_folders_are_refused(dataset, tmp_path):
    with pytest.raises(CorpusError, match=f"{tmp_path}/none: no such folder"):
        import_hf_dataset(tmp_path / "none", tmp_path / "audio")
    with pytest.raises(CorpusError, match="neither what save_to_disk writes nor parquet files"):
        import_hf_dataset(tmp_path, tmp_path / "audio")


def test_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(CorpusError, match="no module datasets: run 'make -C tools import'"):
        import_hf_dataset(tmp_path, tmp_path / "audio")
