"""Folders with a table, as Hugging Face's audiofolder."""

import json

import pytest
from sounds import write_tone

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports.metadata import import_audiofolder


def write_folder(folder, rows, names=("a.wav", "sub/b.wav")):
    for name in names:
        write_tone(folder / name)
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_csv_with_quotes_and_speakers(tmp_path):
    rows = ["file_name,transcription,speaker_id", 'a.wav,"One, two",7', "sub/b.wav,Three,x-y"]
    parts = import_audiofolder(write_folder(tmp_path, rows))
    assert list(parts) == ["train"]
    utterances = parts["train"].utterances
    assert {u: (v.text, v.speaker) for u, v in utterances.items()} == {
        "7-a": ("one two", "7"),
        "x_y-sub-b": ("three", "x_y"),
    }


def test_parts_and_jsonl(tmp_path):
    write_folder(tmp_path / "train", ["file_name,text", "a.wav,one"])
    write_tone(tmp_path / "validation" / "c.wav")
    row = {"file_name": "c.wav", "sentence": "two", "client_id": None}
    (tmp_path / "validation" / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    parts = import_audiofolder(tmp_path)
    assert {name: list(part.utterances) for name, part in parts.items()} == {
        "train": ["unknown-a"],
        "valid": ["unknown-c"],
    }


def test_columns_by_name(tmp_path):
    rows = ["file_name,text,raw,who", "a.wav,no,yes,ann"]
    parts = import_audiofolder(write_folder(tmp_path, rows), "raw", "who")
    assert parts["train"].utterances["ann-a"].text == "yes"


def test_damaged_audio_and_empty_text(tmp_path):
    rows = ["file_name,text", "a.wav,", "none.wav,one", "sub/b.wav,two"]
    part = import_audiofolder(write_folder(tmp_path, rows))["train"]
    assert {key: cause for key, (cause, _) in part.dropped.items()} == {
        "unknown-a": "empty_text",
        "unknown-none": "missing_audio",
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["file_name,text"], "metadata.csv: no rows"),
        (["file_name,text", "a.wav"], "metadata.csv: row 1: its columns are not"),
        (["file_name,text", "a.wav,one,two"], "metadata.csv: row 1: its columns are not"),
        (["path,text", "a.wav,one"], "metadata.csv: no column file_name, only: path, text"),
        (["file_name,words", "a.wav,one"], "which column is the text. Give --text_column: file_"),
        (["file_name,text", "a.wav,\udcff"], "metadata.csv: row 0: .*utf-8"),
    ],
)
def test_damaged_tables_are_named(tmp_path, rows, message):
    (tmp_path / "metadata.csv").write_bytes("\n".join(rows).encode(errors="surrogateescape"))
    with pytest.raises(CorpusError, match=message):
        import_audiofolder(tmp_path)


def test_no_table(tmp_path):
    with pytest.raises(CorpusError, match="no metadata.csv or metadata.jsonl in it"):
        import_audiofolder(tmp_path)
