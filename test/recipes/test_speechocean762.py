"""speechocean762: miniature trees in its layout, good and damaged."""

import pytest
from mini_corpora import SPEECHOCEAN762_SPEAKERS as SPEAKERS
from mini_corpora import write_speechocean762

from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.speechocean762 import prepare_speechocean762


@pytest.fixture
def corpus(tmp_path):
    return write_speechocean762(tmp_path / "speechocean762")


@pytest.mark.parametrize("inside", [False, True])
def test_whole_corpus(corpus, tmp_path, inside):
    sets = prepare_speechocean762(corpus if inside else corpus.parent, tmp_path / "data", nj=2)
    for name in ("train", "valid", "test"):
        assert check_data_dir(tmp_path / "data" / name, fs=16000) == []
        assert read_keyed(tmp_path / "data" / name / "dropped") == {}
    assert read_keyed(tmp_path / "data" / "test" / "text") == dict.fromkeys(
        ["000030001", "000030002", "099970001", "099970002"], "we call it bear"
    )
    speakers = {
        name: {utterance.speaker for utterance in prepared.utterances.values()}
        for name, prepared in sets.items()
    }
    assert speakers["test"] == set(SPEAKERS["test"])
    assert len(speakers["valid"]) == 1
    assert not speakers["train"] & speakers["valid"]
    assert speakers["train"] | speakers["valid"] == set(SPEAKERS["train"])


def test_what_cannot_be_used_is_left_out_by_cause(corpus, tmp_path):
    (corpus / "WAVE" / "SPEAKER0003" / "000030001.WAV").unlink()
    (corpus / "WAVE" / "SPEAKER0003" / "000030002.WAV").write_bytes(b"no audio")
    with (corpus / "test" / "text").open("ab") as file:
        file.write(b"000030001\tAGAIN\n000030003\tNO AUDIO\n000030004\n000030005 \xff\n")
    with (corpus / "test" / "wav.scp").open("a") as file:
        file.write("000030004\tWAVE/SPEAKER0003/000030004.WAV\n")
    with (corpus / "test" / "utt2spk").open("a") as file:
        file.write("000030003 0003\n")
    sets = prepare_speechocean762(corpus, tmp_path / "data")
    assert list(sets["test"].utterances) == ["099970001", "099970002"]
    dropped = read_keyed(tmp_path / "data" / "test" / "dropped")
    assert {key: why.split()[0] for key, why in dropped.items()} == {
        "000030001": "missing_audio",
        "000030002": "unreadable_audio",
        "000030003": "no_wav",
        "000030004": "no_text",
        "text:5": "duplicate_utterance",
        "text:7": "bad_line",
        "text:8": "bad_utf8",
    }


@pytest.mark.parametrize(
    ("missing", "message"),
    [("WAVE", "no folders train, test and WAVE"), ("train/utt2spk", "utt2spk: no such file")],
)
def test_missing_pieces_are_named(corpus, tmp_path, missing, message):
    (corpus / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(CorpusError, match=message):
        prepare_speechocean762(corpus, tmp_path / "data")
