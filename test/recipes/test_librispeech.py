"""LibriSpeech: miniature trees in its layout, good and damaged."""

import numpy as np
import pytest
import soundfile

from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.librispeech import prepare_librispeech

PART = "train-clean-100"


def write_chapter(part_dir, speaker, chapter, texts):
    """A chapter with a short tone for each text."""
    folder = part_dir / speaker / chapter
    folder.mkdir(parents=True)
    lines = []
    for number, text in enumerate(texts):
        utt_id = f"{speaker}-{chapter}-{number:04d}"
        tone = 0.1 * np.sin(np.arange(4000 * (number + 1)) / 10)
        soundfile.write(folder / f"{utt_id}.flac", tone, 16000)
        lines.append(f"{utt_id} {text}\n")
    (folder / f"{speaker}-{chapter}.trans.txt").write_text("".join(lines))
    return folder


@pytest.fixture
def corpus(tmp_path):
    """Two speakers, three chapters, four utterances."""
    part_dir = tmp_path / "corpus" / "LibriSpeech" / PART
    write_chapter(part_dir, "103", "1240", ["CHAPTER ONE", "IT'S RAINING"])
    write_chapter(part_dir, "103", "1241", ["AN EDITOR'S NOTE"])
    write_chapter(part_dir, "84", "121123", ["GO ON"])
    return tmp_path / "corpus"


def chapter_dir(corpus, speaker="103", chapter="1240"):
    return corpus / "LibriSpeech" / PART / speaker / chapter


def test_whole_part(corpus, tmp_path):
    prepared = prepare_librispeech(corpus, PART, tmp_path / "data")
    assert check_data_dir(tmp_path / "data", fs=16000) == []
    assert read_keyed(tmp_path / "data" / "text") == {
        "103-1240-0000": "chapter one",
        "103-1240-0001": "it's raining",
        "103-1241-0000": "an editor's note",
        "84-121123-0000": "go on",
    }
    assert read_keyed(tmp_path / "data" / "utt2spk")["103-1241-0000"] == "103"
    assert prepared.utterances["103-1240-0001"].seconds == 0.5
    assert prepared.describe() == "4 utterances, 2 speakers, 0.00 hours, left out 0"


def test_folder_librispeech_itself(corpus, tmp_path):
    prepared = prepare_librispeech(corpus / "LibriSpeech", PART, tmp_path / "data")
    assert len(prepared.utterances) == 4


def test_what_cannot_be_used_is_left_out_by_cause(corpus, tmp_path):
    folder = chapter_dir(corpus)
    (folder / "103-1240-0000.flac").unlink()
    (folder / "103-1240-0001.flac").write_bytes(b"no audio")
    chapter_dir(corpus, chapter="1241").joinpath("103-1241.trans.txt").unlink()
    with (folder / "103-1240.trans.txt").open("ab") as file:
        file.write(b"CHAPTER TWO\n103-1240-0001 AGAIN\n103-1240-0002 \xff\n84-1-0000\n")
    soundfile.write(folder / "84-1-0000.flac", np.zeros(1600), 16000)
    prepared = prepare_librispeech(corpus, PART, tmp_path / "data")
    assert list(prepared.utterances) == ["84-121123-0000"]
    assert check_data_dir(tmp_path / "data", fs=16000) == []
    dropped = read_keyed(tmp_path / "data" / "dropped")
    assert {key: why.split()[0] for key, why in dropped.items()} == {
        "103-1240-0000": "no_audio",
        "103-1240-0001": "unreadable_audio",
        "103-1240.trans.txt:3": "bad_line",
        "103-1240.trans.txt:4": "duplicate_utterance",
        "103-1240.trans.txt:5": "bad_utf8",
        "103-1241-0000": "no_transcript",
        "84-1-0000": "empty_text",
    }
    assert "left out 7: 1 bad_line, 1 bad_utf8, 1 duplicate_utterance" in prepared.describe()


def test_other_part_names_those_there_are(corpus, tmp_path):
    with pytest.raises(CorpusError, match=f"no folder test-other .* only {PART}"):
        prepare_librispeech(corpus, "test-other", tmp_path / "data")


def test_no_corpus_shows_what_is_expected(tmp_path):
    with pytest.raises(CorpusError, match="no part of LibriSpeech; expected files such as"):
        prepare_librispeech(tmp_path, PART, tmp_path / "data")


def test_nothing_usable_leaves_what_was_there(corpus, tmp_path):
    prepare_librispeech(corpus, PART, tmp_path / "data")
    for path in corpus.rglob("*.flac"):
        path.unlink()
    with pytest.raises(CorpusError, match="no utterance can be used; left out 4: 4 no_audio"):
        prepare_librispeech(corpus, PART, tmp_path / "data")
    assert len(read_keyed(tmp_path / "data" / "text")) == 4
