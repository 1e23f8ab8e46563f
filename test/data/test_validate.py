"""Faults of data directories, each made on purpose."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from espnet_ssr.data.validate import check_data_dir, inspect_data_dir
from espnet_ssr.datadir import Utterance, write_data_dir

ROOT = Path(__file__).parents[2]
UTT_IDS = ["ann-1", "ann-2", "bob-1"]


def write_audio(path, seconds=0.2, fs=16000):
    """Write noise; the format follows the name."""
    samples = np.random.default_rng(0).normal(0, 0.1, int(seconds * fs))
    soundfile.write(path, samples, fs)
    return path


def cut(path, num_bytes):
    """Cut bytes off the end of a file."""
    path.write_bytes(path.read_bytes()[:-num_bytes])


@pytest.fixture
def data_dir(tmp_path):
    """Return a sound data directory of three utterances, with audio in ``tmp_path/*.wav``."""
    utterances = {
        utt_id: Utterance(str(write_audio(tmp_path / f"{utt_id}.wav")), "a b", utt_id[:3], 0.2)
        for utt_id in UTT_IDS
    }
    write_data_dir(tmp_path / "data", utterances)
    return tmp_path / "data"


def edit(path, old, new):
    """Replace the first `old` in a file, which must be there."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def add_segments(data_dir, segments):
    """Give a data directory two recordings and segments (one text for each of `UTT_IDS`)."""
    folder = data_dir.parent
    (data_dir / "wav.scp").write_text(f"r1 {folder / 'ann-1.wav'}\nr2 {folder / 'bob-1.wav'}\n")
    lines = [f"{utt_id} {segment}\n" for utt_id, segment in zip(UTT_IDS, segments, strict=True)]
    (data_dir / "segments").write_text("".join(lines))


def summaries(problems):
    """Return file name, line, utterance and cause of problems."""
    return [
        (problem.path.name, problem.line, problem.utt_id, problem.cause) for problem in problems
    ]


def test_sound_directory(data_dir):
    inspection = inspect_data_dir(data_dir, num_jobs=2)
    assert inspection.problems == []
    assert inspection.durations == pytest.approx(dict.fromkeys(UTT_IDS, 0.2))


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("text", b"ann-2 a b", b"ann-2 ", ("text", 2, "ann-2", "empty_text")),
        ("text", b"ann-2 a b", b"ann-2", ("text", 2, "ann-2", "empty_text")),
        ("text", b"ann-2 a b", b"ann-2 a  b", ("text", 2, "ann-2", "odd_whitespace")),
        ("text", b"ann-2 a b", b"ann-2 a b ", ("text", 2, "ann-2", "odd_whitespace")),
        ("text", b"ann-2 a b", b"ann-2 a b\r", ("text", 2, "ann-2", "odd_whitespace")),
        ("text", b"ann-2 a b", b"ann-2\ta b", ("text", 2, "ann-2", "odd_whitespace")),
        ("text", b"ann-2 a b", b"ann-2 a\xc2\xa0b", ("text", 2, "ann-2", "odd_whitespace")),
        ("text", b"ann-2 a b", b" ann-2 a b", ("text", 2, "ann-2", "odd_whitespace")),
        ("text", b"ann-2 a b", b"\nann-2 a b", ("text", 2, "", "bad_line")),
        ("text", b"bob-1 a b\n", b"bob-1 a b", ("text", 3, "", "odd_whitespace")),
        ("text", b"ann-2 a b", b"ann-2 \xff b", ("text", 2, "", "bad_utf8")),
        ("text", b"ann-2 a b\n", b"ann-2 a b\nann-2 c\n", ("text", 3, "ann-2", "duplicate_key")),
        ("text", b"ann-2 a b\n", b"", ("text", 0, "ann-2", "key_mismatch")),
        ("wav.scp", b"bob-1 ", b"bob-2 ", ("wav.scp", 0, "bob-1", "key_mismatch")),
        ("wav.scp", b"ann-2.wav", b"none.wav", ("wav.scp", 2, "ann-2", "missing_audio")),
        ("wav.scp", b"ann-2.wav", b"ann-2.wav |", ("wav.scp", 2, "ann-2", "command_pipe")),
        ("utt2spk", b"bob-1 bob", b"bob-1 ann", ("spk2utt", 1, "ann", "speakers_differ")),
        ("spk2utt", b"bob bob-1\n", b"", ("spk2utt", 0, "bob", "speakers_differ")),
    ],
)
def test_faults_of_tables(data_dir, name, old, new, found):
    edit(data_dir / name, old, new)
    assert found in summaries(check_data_dir(data_dir))


@pytest.mark.parametrize("name", ["wav.scp", "text", "utt2spk", "spk2utt"])
def test_missing_or_empty_table_is_one_problem(data_dir, name):
    (data_dir / name).write_text("")
    assert summaries(check_data_dir(data_dir)) == [(name, 0, "", "missing_table")]
    (data_dir / name).unlink()
    assert summaries(check_data_dir(data_dir)) == [(name, 0, "", "missing_table")]
    assert (check_data_dir(data_dir, has_text=False) == []) == (name == "text")


@given(order=st.permutations(UTT_IDS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_other_order_is_one_problem(data_dir, order):
    (data_dir / "text").write_text("".join(f"{utt_id} a b\n" for utt_id in order))
    found = [problem.cause for problem in check_data_dir(data_dir, has_audio=False)]
    assert found == ([] if order == UTT_IDS else ["unsorted"])


def test_order_is_that_of_bytes(tmp_path):
    utt_ids = ["B", "a", "a-1", "aé", "é", "\N{GRINNING FACE}"]
    random.Random(0).shuffle(utt_ids)
    path = str(write_audio(tmp_path / "a.wav"))
    write_data_dir(tmp_path / "data", {key: Utterance(path, "x", key, 0.2) for key in utt_ids})
    assert check_data_dir(tmp_path / "data") == []
    content = (tmp_path / "data" / "text").read_bytes().splitlines()
    assert content == sorted(content)


def make_text_file(path):
    """Write something that is no audio."""
    path.write_text("<html>not found</html>")


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (Path.unlink, "missing_audio"),
        (lambda path: path.write_bytes(b""), "empty_audio"),
        (lambda path: write_audio(path, seconds=0), "empty_audio"),
        (make_text_file, "unreadable_audio"),
        (lambda path: cut(path, 100), "truncated_audio"),
        (lambda path: cut(path, 1), "truncated_audio"),
        (lambda path: write_audio(path, fs=8000), "wrong_rate"),
    ],
)
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_faults_of_audio(data_dir, suffix, damage, cause):
    audio = write_audio(data_dir.parent / f"new{suffix}")
    edit(data_dir / "wav.scp", b"ann-2.wav", audio.name.encode())
    assert check_data_dir(data_dir) == []
    damage(audio)
    assert summaries(check_data_dir(data_dir)) == [("wav.scp", 2, "ann-2", cause)]
    assert check_data_dir(data_dir, has_audio=False) == []


def test_mp3_cut_short(data_dir):
    audio = write_audio(data_dir.parent / "new.mp3", seconds=1)
    edit(data_dir / "wav.scp", b"ann-2.wav", b"new.mp3")
    assert check_data_dir(data_dir) == []
    cut(audio, audio.stat().st_size // 2)
    assert summaries(check_data_dir(data_dir)) == [("wav.scp", 2, "ann-2", "truncated_audio")]


def test_wav_from_a_pipe_has_no_size(data_dir):
    audio = data_dir.parent / "ann-2.wav"
    edit(audio, b"data" + audio.read_bytes()[40:44], b"data\xff\xff\xff\xff")
    assert check_data_dir(data_dir) == []


@pytest.mark.parametrize(
    ("segment", "cause"),
    [
        ("r1 0.15 0.15", "bad_segment"),
        ("r1 0.2 0.1", "bad_segment"),
        ("r1 -0.1 0.1", "bad_segment"),
        ("r1 nan 0.1", "bad_segment"),
        ("r1 0.1", "bad_segment"),
        ("r1 a b", "bad_segment"),
        ("r1 0.1 0.25", "segment_past_end"),
        ("r3 0.1 0.2", "no_recording"),
    ],
)
def test_faults_of_segments(data_dir, segment, cause):
    add_segments(data_dir, ["r1 0 0.1", segment, "r2 0.1 0.205"])
    inspection = inspect_data_dir(data_dir)
    assert summaries(inspection.problems) == [("segments", 2, "ann-2", cause)]
    assert inspection.durations["ann-1"] == pytest.approx(0.1)


def validate(*args):
    """Run the command."""
    command = [sys.executable, ROOT / "utils" / "validate_data_dir.py", *map(str, args)]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_command(data_dir):
    result = validate(data_dir)
    assert result.returncode == 0
    assert result.stdout == f"{data_dir}: 3 utterances, 0.00 hours, 2 speakers, 0 problems\n"
    for utt_id in UTT_IDS:
        cut(data_dir.parent / f"{utt_id}.wav", 10)
    result = validate(data_dir, "--max-problems", 1)
    assert result.returncode == 1
    assert result.stdout.splitlines()[0] == (
        f"{data_dir}/wav.scp:1: ann-1: {data_dir.parent}/ann-1.wav ends 10 bytes early "
        "[truncated_audio] -> copy or download it again"
    )
    assert "\n... and 2 more\n" in result.stdout
