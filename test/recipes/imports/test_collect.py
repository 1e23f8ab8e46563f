"""Ids that Kaldi's tools accept, and what is noted of utterances that cannot be used."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import write_tone

from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed
from espnet_ssr.recipes.imports.collect import (
    Imported,
    Segment,
    clean_speaker,
    make_utt_id,
)

NAMES = st.text(min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("speaker", "name", "utt_id"),
    [
        ("84", "84-121123-0000", "84-121123-0000"),
        ("p225", "p225_001", "p225-p225_001"),
        ("Jane Doe-Smith", "My file (2)", "Jane_Doe_Smith-My_file_2_"),
        ("", "a/b", "unknown-a-b"),
    ],
)
def test_ids(speaker, name, utt_id):
    assert make_utt_id(speaker, name) == utt_id


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1))
def test_sorted_by_utterance_is_sorted_by_speaker(pairs):
    utt2spk = {make_utt_id(*pair): clean_speaker(pair[0]) for pair in pairs}
    lines = sorted((os.fsencode(u), os.fsencode(s)) for u, s in utt2spk.items())
    assert lines == sorted(lines, key=lambda line: (line[1], line[0]))
    assert all(u.split() == [u] and "/" not in u for u in utt2spk)


def test_parts_of_a_recording_and_whole_files(tmp_path):
    long = write_tone(tmp_path / "long.flac", seconds=2)
    short = write_tone(tmp_path / "short.wav", seconds=0.5)
    imported = Imported()
    imported.add_segment("a-1", "One", long, "a", Segment("rec", 0.0, 0.75))
    imported.add_segment("b-2", "2", long, "b", Segment("rec", 1.0, 2.005))
    imported.add_segment("b-2", "2", long, "b", Segment("rec", 1.0, 1.5))
    imported.add_file("b-3", "three", short, "b")
    imported.add_segment("x-1", "x", long, "x", Segment("rec", 1.0, 1.0))
    imported.add_segment("x-2", "x", long, "x", Segment("rec", 1.0, 2.1))
    imported.add_segment("x-3", "[noise]", long, "x", Segment("rec", 0.0, 1.0))
    imported.add_segment("x-4", "x", tmp_path / "none.wav", "x", Segment("none", 0.0, 1.0))
    assert {key: cause for key, (cause, _) in imported.dropped.items()} == {
        "b-2(again)": "duplicate_utterance",
        "x-1": "bad_segment",
        "x-2": "segment_past_end",
        "x-3": "empty_text",
        "x-4": "missing_audio",
    }
    imported.write_set(tmp_path / "data", ["b-3", "b-2", "a-1"])
    assert check_data_dir(tmp_path / "data", fs=16000) == []
    assert read_keyed(tmp_path / "data" / "segments") == {
        "a-1": "rec 0.000 0.750",
        "b-2": "rec 1.000 2.005",
        "b-3": "b-3 0.000 0.500",
    }
    assert read_keyed(tmp_path / "data" / "wav.scp") == {"b-3": str(short), "rec": str(long)}
    imported.write_set(tmp_path / "data", ["b-3"])
    assert not (tmp_path / "data" / "segments").exists()


def test_path_that_wav_scp_cannot_hold(tmp_path):
    imported = Imported()
    imported.add_file("a-1", "one", write_tone(tmp_path / "two  spaces" / "a.wav"), "a")
    imported.add_file("a-2", "two", write_tone(tmp_path / "one space" / "a.wav"), "a")
    assert imported.dropped["a-1"][0] == "odd_path"
    assert list(imported.utterances) == ["a-2"]
