"""MLS: miniature trees in its layout, good and damaged."""

import numpy as np
import pytest
import soundfile

from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed
from espnet_ssr.recipes import CorpusError, mls
from espnet_ssr.recipes.mls import prepare_mls

# In the order of names with "_", which is not that of Kaldi's tools: 10_ comes after 100_.
TEXTS = {
    "100_7_000000": "if you love me",
    "100_7_000001": "mother's day",
    "10_12_000000": "to be or not",
    "10_3_000004": "caf\u00e9",
    "10_3_000010": "the end",
}


def write_part(part_dir, texts, suffix=".flac"):
    """Transcripts, and a short noise for each."""
    for number, utt_id in enumerate(texts):
        speaker, book, _ = utt_id.split("_")
        folder = part_dir / "audio" / speaker / book
        folder.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).normal(0, 0.1, 4000)
        options = {"format": "OGG", "subtype": "OPUS"} if suffix == ".opus" else {}
        soundfile.write(folder / f"{utt_id}{suffix}", noise, 16000, **options)
    lines = "".join(f"{utt_id}\t{text}\n" for utt_id, text in texts.items())
    (part_dir / "transcripts.txt").write_text(lines)


@pytest.fixture
def corpus(tmp_path):
    write_part(tmp_path / "corpus" / "mls_english" / "train", TEXTS)
    return tmp_path / "corpus"


def audio_dir(corpus):
    return corpus / "mls_english" / "train" / "audio"


def test_whole_part(corpus, tmp_path):
    summary = prepare_mls(corpus, "train", tmp_path / "data")
    assert check_data_dir(tmp_path / "data", fs=16000) == []
    assert read_keyed(tmp_path / "data" / "text") == {
        "10-12-000000": "to be or not",
        "10-3-000004": "cafe",
        "10-3-000010": "the end",
        "100-7-000000": "if you love me",
        "100-7-000001": "mother's day",
    }
    assert read_keyed(tmp_path / "data" / "spk2utt") == {
        "10": "10-12-000000 10-3-000004 10-3-000010",
        "100": "100-7-000000 100-7-000001",
    }
    wav = read_keyed(tmp_path / "data" / "wav.scp")["10-3-000004"]
    assert wav == str(audio_dir(corpus) / "10" / "3" / "10_3_000004.flac")
    assert summary.describe() == "5 utterances, 2 speakers, left out 0"
    assert (tmp_path / "data" / "dropped").read_text() == ""


def test_utterances_and_speakers_are_in_one_order(corpus, tmp_path):
    prepare_mls(corpus, "train", tmp_path / "data")
    lines = (tmp_path / "data" / "utt2spk").read_text().splitlines()
    by_speaker = sorted(lines, key=lambda line: line.encode().split()[::-1])
    assert lines == sorted(lines, key=str.encode) == by_speaker


def test_opus(tmp_path):
    write_part(tmp_path / "mls_english_opus" / "dev", TEXTS, ".opus")
    assert prepare_mls(tmp_path, "dev", tmp_path / "data").num_utterances == 5
    assert check_data_dir(tmp_path / "data", fs=None) == []


def test_folder_of_the_archive_itself(corpus, tmp_path):
    summary = prepare_mls(corpus / "mls_english", "train", tmp_path / "data")
    assert summary.num_utterances == 5


def test_what_cannot_be_used_is_left_out_by_cause(corpus, tmp_path):
    book = audio_dir(corpus) / "10" / "3"
    (book / "10_3_000004.flac").unlink()
    (book / "10_3_000011.flac").write_bytes(b"of no transcript")
    (book / "notes.txt").write_text("no audio")
    (audio_dir(corpus) / "index").write_text("no folder")
    with open(corpus / "mls_english" / "train" / "transcripts.txt", "ab") as file:
        file.write(b"no tab in it\n100_7_000001\tagain\n10_3_000012\t\xff\n100_7_000002\t...\n")
    soundfile.write(audio_dir(corpus) / "100" / "7" / "100_7_000002.flac", np.zeros(1600), 16000)
    summary = prepare_mls(corpus, "train", tmp_path / "data")
    assert check_data_dir(tmp_path / "data", fs=16000) == []
    assert read_keyed(tmp_path / "data" / "text")["100-7-000001"] == "mother's day"
    dropped = read_keyed(tmp_path / "data" / "dropped")
    assert {key: why.split()[0] for key, why in dropped.items()} == {
        "transcripts.txt:6": "bad_line",
        "transcripts.txt:8": "bad_utf8",
        "10-3-000004": "no_audio",
        "10-3-000011": "no_transcript",
        "100-7-000001(again)": "duplicate_utterance",
        "100-7-000002": "empty_text",
    }
    assert summary.describe() == (
        "4 utterances, 2 speakers, left out 6: 1 bad_line, 1 bad_utf8, 1 duplicate_utterance, "
        "1 empty_text, 1 no_audio, 1 no_transcript"
    )


def write_handles(corpus, subset, *utt_ids):
    folder = corpus / "mls_english" / "train" / "limited_supervision" / subset
    folder.mkdir(parents=True)
    (folder / "handles.txt").write_text("".join(f"{utt_id}\n" for utt_id in utt_ids))


def test_small_training_sets(corpus, tmp_path):
    write_handles(corpus, "9hr", "10_3_000010", "10_12_000000")
    write_handles(corpus, "1hr/0", "100_7_000001")
    write_handles(corpus, "1hr/5", "10_3_000010", "10_3_000099")
    prepare_mls(corpus, "train_9hr", tmp_path / "nine")
    assert list(read_keyed(tmp_path / "nine" / "text")) == ["10-12-000000", "10-3-000010"]
    summary = prepare_mls(corpus, "train_1hr", tmp_path / "one")
    assert list(read_keyed(tmp_path / "one" / "text")) == ["10-3-000010", "100-7-000001"]
    assert summary.dropped.total() == 0


def test_no_such_small_set(corpus, tmp_path):
    with pytest.raises(CorpusError, match="limited_supervision/9hr: no handles.txt"):
        prepare_mls(corpus, "train_9hr", tmp_path / "data")


def test_no_corpus_says_what_is_there(corpus, tmp_path):
    with pytest.raises(CorpusError, match=r"no test of MLS in it, only mls_english; expected \S+"):
        prepare_mls(corpus, "test", tmp_path / "data")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="only nothing"):
        prepare_mls(tmp_path / "empty", "train", tmp_path / "data")


def test_nothing_usable_leaves_what_was_there(corpus, tmp_path):
    prepare_mls(corpus, "train", tmp_path / "data")
    for path in corpus.rglob("*.flac"):
        path.unlink()
    with pytest.raises(CorpusError, match="no utterance can be used: .* 5 no_audio"):
        prepare_mls(corpus, "train", tmp_path / "data")
    assert len(read_keyed(tmp_path / "data" / "text")) == 5


def test_sort_that_fails(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(mls, "SORT_MEMORY", "much")
    with pytest.raises(RuntimeError, match="sort ended with 2"):
        prepare_mls(corpus, "train", tmp_path / "data")
    assert not (tmp_path / "data").exists()
