"""Plain folders of audio and text, as people have them."""

import pytest
from sounds import write_tone

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports.wav_txt import import_wav_txt


def add(folder, name, text="Hello there.", **tone):
    path = write_tone(folder / name, **tone)
    path.with_suffix(".txt").write_text(text, encoding="utf-8")
    return path


def texts_of(imported):
    return {utt_id: utterance.text for utt_id, utterance in imported.utterances.items()}


def test_folders_are_speakers(tmp_path):
    add(tmp_path, "ann/a.wav", "One,\ntwo.\n")
    add(tmp_path, "ann/book 1/a.wav", "\ufeffThree!")
    add(tmp_path, "Bob B./b c.wav")
    add(tmp_path, "top.wav")
    imported = import_wav_txt(tmp_path)
    assert texts_of(imported) == {
        "Bob_B.-b_c": "hello there",
        "ann-a": "one two",
        "ann-book_1-a": "three",
        "unknown-top": "hello there",
    }
    assert {utterance.speaker for utterance in imported.utterances.values()} == {
        "ann", "Bob_B.", "unknown",
    }  # fmt: skip
    assert imported.dropped == {}


def test_unknown_speakers(tmp_path):
    add(tmp_path, "ann/a.wav")
    imported = import_wav_txt(tmp_path, speakers="none")
    assert list(imported.utterances) == ["unknown-ann-a"]
    assert imported.utterances["unknown-ann-a"].speaker == "unknown"


def test_formats_rates_channels_and_endings_in_upper_case(tmp_path):
    add(tmp_path, "a.mp3", seconds=1)
    add(tmp_path, "b.ogg", rate=8000, channels=2)
    add(tmp_path, "c.flac", rate=44100)
    write_tone(tmp_path / "D.WAV")
    (tmp_path / "D.TXT").write_text("d")
    assert len(import_wav_txt(tmp_path).utterances) == 4


def test_what_cannot_be_used_is_left_out_by_cause(tmp_path):
    add(tmp_path, "good.wav")
    add(tmp_path, "good.mp3")
    add(tmp_path, "latin.wav").with_suffix(".txt").write_bytes(b"caf\xe9")
    add(tmp_path, "noise.wav", "[noise]")
    add(tmp_path, "bad.wav").write_bytes(b"RIFF")
    write_tone(tmp_path / "silent.wav")
    (tmp_path / "phone.m4a").write_bytes(b"aac")
    (tmp_path / "notes.txt").write_text("about the corpus")
    (tmp_path / "._good.wav").write_bytes(b"of another system")
    imported = import_wav_txt(tmp_path)
    assert list(imported.utterances) == ["unknown-good"]
    assert imported.utterances["unknown-good"].wav.endswith("good.mp3")
    assert {key: cause for key, (cause, _) in imported.dropped.items()} == {
        "unknown-good.wav": "same_name",
        "unknown-latin": "bad_utf8",
        "unknown-noise": "empty_text",
        "unknown-bad": "unreadable_audio",
        "unknown-silent": "no_text",
        "unknown-phone": "other_format",
        "unknown-notes": "no_audio",
    }
    assert "ffmpeg -i phone.m4a phone.wav" in imported.dropped["unknown-phone"][1]


def test_relative_paths_become_whole_ones(tmp_path, monkeypatch):
    path = add(tmp_path, "corpus/a.wav")
    monkeypatch.chdir(tmp_path)
    (utterance,) = import_wav_txt(path.parent.relative_to(tmp_path)).utterances.values()
    assert utterance.wav == str(path)


def test_no_folder_and_no_audio(tmp_path):
    with pytest.raises(CorpusError, match=f"{tmp_path}/none: no such folder"):
        import_wav_txt(tmp_path / "none")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(CorpusError, match="no audio file in it or below"):
        import_wav_txt(tmp_path)
