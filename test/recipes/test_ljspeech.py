"""LJ Speech: miniature trees in its layout, good and damaged."""

import numpy as np
import pytest
import soundfile
from mini_corpora import write_ljspeech

from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.ljspeech import prepare_ljspeech, split_clips

SETS = {"tr_no_dev": 8, "dev": 1, "eval1": 1}


@pytest.fixture
def corpus(tmp_path):
    return write_ljspeech(tmp_path / "corpus")


def test_whole_corpus(corpus, tmp_path):
    sets = prepare_ljspeech(corpus, tmp_path / "data")
    assert {name: len(prepared.utterances) for name, prepared in sets.items()} == SETS
    for name in SETS:
        assert check_data_dir(tmp_path / "data" / name, fs=22050) == []
        assert read_keyed(tmp_path / "data" / name / "dropped") == {}
    assert read_keyed(tmp_path / "data" / "dev" / "text") == {
        "LJ001-0009": "in the year doctor aaaaaaaaa"
    }
    assert read_keyed(tmp_path / "data" / "eval1" / "utt2spk") == {"LJ001-0010": "LJ"}


def test_folder_itself(corpus, tmp_path):
    sets = prepare_ljspeech(corpus / "LJSpeech-1.1", tmp_path / "data", nj=2)
    assert sum(len(prepared.utterances) for prepared in sets.values()) == 10


def test_sets_of_the_whole_corpus_are_those_of_espnet():
    clips = [f"LJ{chapter:03d}-{number:04d}" for chapter in range(1, 51) for number in range(262)]
    sets = split_clips(reversed(clips))
    assert {name: len(found) for name, found in sets.items()} == {
        "tr_no_dev": 12600,
        "dev": 250,
        "eval1": 250,
    }
    assert [*sets["tr_no_dev"], *sets["dev"], *sets["eval1"]] == clips


def test_what_cannot_be_used_is_left_out_by_cause_and_moves_nothing(corpus, tmp_path):
    folder = corpus / "LJSpeech-1.1"
    (folder / "wavs" / "LJ001-0001.wav").unlink()
    (folder / "wavs" / "LJ001-0002.wav").write_bytes(b"")
    cut = (folder / "wavs" / "LJ001-0003.wav").read_bytes()[:-100]
    (folder / "wavs" / "LJ001-0003.wav").write_bytes(cut)
    soundfile.write(folder / "wavs" / "LJ001-0004.wav", np.zeros(100), 16000)
    soundfile.write(folder / "wavs" / "LJ002-0001.wav", np.zeros(100), 22050)
    with (folder / "metadata.csv").open("ab") as file:
        file.write(b"LJ001-0005|again|again\nLJ001-0006|no third\nLJ001-0007|a|\xff\n")
    sets = prepare_ljspeech(corpus, tmp_path / "data")
    dropped = read_keyed(tmp_path / "data" / "tr_no_dev" / "dropped")
    assert {key: why.split()[0] for key, why in dropped.items()} == {
        "LJ001-0001": "missing_audio",
        "LJ001-0002": "empty_audio",
        "LJ001-0003": "truncated_audio",
        "LJ001-0004": "wrong_rate",
        "LJ002-0001": "no_text",
        "metadata.csv:11": "duplicate_utterance",
        "metadata.csv:12": "bad_line",
        "metadata.csv:13": "bad_utf8",
    }
    assert list(sets["dev"].utterances) == ["LJ001-0009"]
    assert check_data_dir(tmp_path / "data" / "tr_no_dev", fs=22050) == []


def test_no_corpus(tmp_path):
    with pytest.raises(CorpusError, match="no metadata.csv in it or in its folder LJSpeech-1.1"):
        prepare_ljspeech(tmp_path, tmp_path / "data")


def test_too_small_a_piece(tmp_path):
    with pytest.raises(CorpusError, match="9 clips are too few for three sets"):
        prepare_ljspeech(write_ljspeech(tmp_path, 9), tmp_path / "data")


def test_nothing_usable_in_a_set_leaves_what_was_there(corpus, tmp_path):
    prepare_ljspeech(corpus, tmp_path / "data")
    (corpus / "LJSpeech-1.1" / "wavs" / "LJ001-0010.wav").unlink()
    with pytest.raises(CorpusError, match="no utterance can be used; left out 1: 1 missing_audio"):
        prepare_ljspeech(corpus, tmp_path / "data")
    assert list(read_keyed(tmp_path / "data" / "eval1" / "text")) == ["LJ001-0010"]
