"""Common Voice: miniature trees in its layout, good and damaged."""

import numpy as np
import pytest
import soundfile

from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.commonvoice import name_speaker, prepare_commonvoice

COLUMNS = ["client_id", "path", "sentence_id", "sentence", "sentence_domain", "up_votes"]
ANN, BEN = "a" * 128, "b" * 128


def write_table(language_dir, name, rows, columns=COLUMNS):
    """A table of rows ``(client_id, path, sentence)``, and a second of noise for each clip."""
    clips = language_dir / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(columns)]
    for client_id, path, sentence in rows:
        values = {"client_id": client_id, "path": path, "sentence": sentence, "up_votes": "2"}
        lines.append("\t".join(values.get(column, "") for column in columns))
        noise = np.random.default_rng(len(lines)).normal(0, 0.1, 32000)
        soundfile.write(clips / f"{path.removesuffix('.mp3')}.mp3", noise, 32000, format="MP3")
    (language_dir / f"{name}.tsv").write_text("\n".join(lines) + "\n")


ROWS = [
    (BEN, "common_voice_en_17.mp3", '"Go on," he said.'),
    (ANN, "common_voice_en_2.mp3", "She'll be all right."),
    (BEN, "common_voice_en_3.mp3", "An open quote: \"What's that?"),
]


@pytest.fixture
def corpus(tmp_path):
    write_table(tmp_path / "en", "train", ROWS)
    return tmp_path / "en"


def test_whole_part(corpus, tmp_path):
    prepared = prepare_commonvoice(corpus, "train", tmp_path / "data", nj=2)
    assert check_data_dir(tmp_path / "data", fs=32000) == []
    ann, ben = name_speaker(ANN), name_speaker(BEN)
    assert read_keyed(tmp_path / "data" / "text") == {
        f"{ann}-common_voice_en_2": "she'll be all right",
        f"{ben}-common_voice_en_17": "go on he said",
        f"{ben}-common_voice_en_3": "an open quote what's that",
    }
    assert set(read_keyed(tmp_path / "data" / "spk2utt")) == {ann, ben}
    assert prepared.describe() == "3 utterances, 2 speakers, 0.00 hours, left out 0"


def test_old_release(tmp_path):
    rows = [(ANN, "0123abcd", "Yes.")]  # its paths have no suffix, its columns another order
    write_table(tmp_path / "en", "dev", rows, ["client_id", "path", "sentence", "up_votes"])
    prepare_commonvoice(tmp_path / "en", "dev", tmp_path / "data")
    utt_id = f"{name_speaker(ANN)}-0123abcd"
    assert read_keyed(tmp_path / "data" / "wav.scp") == {
        utt_id: str(tmp_path / "en" / "clips" / "0123abcd.mp3")
    }


def test_what_cannot_be_used_is_left_out_by_cause(corpus, tmp_path):
    with open(corpus / "train.tsv", "ab") as file:
        row = "\t".join(COLUMNS).encode()
        file.write(row.replace(b"client_id", ANN.encode()).replace(b"path", b"gone.mp3") + b"\n")
        file.write(b"a line without tabs\n")
        file.write(b"\t".join([ANN.encode(), b"x.mp3", b"", b"\xff", b"", b"2"]) + b"\n")
        file.write(b"\t".join([ANN.encode(), b"y.mp3", b"", b"a", b"", b"2", b"too much"]) + b"\n")
    (corpus / "clips" / "common_voice_en_3.mp3").write_bytes(b"")
    prepared = prepare_commonvoice(corpus, "train", tmp_path / "data")
    assert len(prepared.utterances) == 2
    dropped = read_keyed(tmp_path / "data" / "dropped")
    assert {key: why.split()[0] for key, why in dropped.items()} == {
        f"{name_speaker(ANN)}-gone": "missing_audio",
        f"{name_speaker(BEN)}-common_voice_en_3": "empty_audio",
        "train.tsv:6": "bad_line",
        "train.tsv:7": "bad_utf8",
        "train.tsv:8": "bad_line",
    }


def test_other_table(corpus, tmp_path):
    (corpus / "train.tsv").write_text("sentence\treason\nSwearing\tbad\n")
    with pytest.raises(CorpusError, match="train.tsv:1: no column client_id"):
        prepare_commonvoice(corpus, "train", tmp_path / "data")


def test_no_such_table_names_those_there_are(corpus, tmp_path):
    with pytest.raises(CorpusError, match="no test.tsv .* only train.tsv; give the folder of the"):
        prepare_commonvoice(corpus, "test", tmp_path / "data")


def test_folder_of_the_release(corpus, tmp_path):
    with pytest.raises(CorpusError, match="only en/train.tsv; give the folder of the language"):
        prepare_commonvoice(corpus.parent, "train", tmp_path / "data")


def test_no_corpus(tmp_path):
    with pytest.raises(CorpusError, match="no .tsv at all"):
        prepare_commonvoice(tmp_path, "train", tmp_path / "data")
