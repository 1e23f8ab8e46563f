"""What the preparation of a corpus collects: one by one, or many with audio read in threads."""

import numpy as np
import pytest
import soundfile

from espnet_ssr.datadir import read_keyed
from espnet_ssr.recipes import CorpusError, prepared
from espnet_ssr.recipes.prepared import Entry, Prepared


@pytest.fixture
def entries(tmp_path):
    """Nine utterances, of which the fourth has no audio, the fifth no words, the last half of its
    samples; the first comes twice."""
    entries = []
    for number in range(9):
        path = tmp_path / f"{number}.flac"
        noise = np.random.default_rng(number).normal(0, 0.1, 800 * (number + 1))
        soundfile.write(path, noise, 16000)
        entries.append(Entry(f"u{number}", "Go on" if number != 4 else "(beep)", path, "s1"))
    entries[3].path.unlink()
    whole = entries[8].path.read_bytes()
    entries[8].path.write_bytes(whole[: len(whole) // 2])
    return [*entries, entries[0]]


def left_out(prepared):
    return {key: cause for key, (cause, _) in prepared.dropped.items()}


@pytest.mark.parametrize("nj", [1, 3])
def test_many_at_once_equal_one_by_one(entries, nj, monkeypatch):
    monkeypatch.setattr(prepared, "FILES_AT_ONCE", 4)
    single, many = Prepared(), Prepared()
    for entry in entries:
        single.add(*entry, 16000)
    many.add_all(entries, 16000, nj, "read")
    assert many.utterances == single.utterances
    assert list(many.utterances) == ["u0", "u1", "u2", "u5", "u6", "u7"]
    assert many.dropped == single.dropped
    assert left_out(many) == {
        "u3": "missing_audio",
        "u4": "empty_text",
        "u8": "truncated_audio",
        "u0(again)": "duplicate_utterance",
    }


def test_seconds_and_wrong_rate(entries):
    many = Prepared()
    many.add_all(entries[:3], None, 2, "read")
    assert [many.utterances[f"u{n}"].seconds for n in range(3)] == [0.05, 0.1, 0.15]
    other = Prepared()
    other.add_all(entries[:1], 8000, 2, "read")
    assert left_out(other) == {"u0": "wrong_rate"}


def test_written_with_what_was_left_out(entries, tmp_path):
    many = Prepared()
    many.add_all(entries, 16000, 1, "read")
    many.write(tmp_path / "data", tmp_path)
    assert read_keyed(tmp_path / "data" / "utt2spk")["u5"] == "s1"
    assert len(read_keyed(tmp_path / "data" / "dropped")) == 4


def test_nothing_to_write(tmp_path):
    with pytest.raises(CorpusError, match="no utterance can be used; left out 0"):
        Prepared().write(tmp_path / "data", tmp_path)
    assert not (tmp_path / "data").exists()
