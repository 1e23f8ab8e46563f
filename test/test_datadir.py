"""Keyed files, data directories that are replaced whole, audio of the right kind."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.datadir import (
    Utterance,
    combine_data_dirs,
    count_dropped,
    invert_utt2spk,
    read_audio,
    read_keyed,
    replaced_dir,
    write_data_dir,
    write_keyed,
    write_lines,
)

CHARACTERS = st.characters(codec="utf-8", exclude_characters="\n")
KEYS = st.text(CHARACTERS, min_size=1, max_size=6).filter(lambda key: key.split() == [key])
VALUES = st.text(CHARACTERS, max_size=12).map(str.strip)


def names(folder):
    """Names of all that is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


@given(entries=st.dictionaries(KEYS, VALUES, max_size=6))
def test_keyed_round_trip(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("keyed") / "text"
    write_keyed(path, entries)
    assert list(read_keyed(path).items()) == list(entries.items())


@given(entries=st.dictionaries(KEYS, VALUES, max_size=6), keys=st.sets(KEYS, max_size=6))
def test_a_part_of_a_keyed_file(tmp_path_factory, entries, keys):
    path = tmp_path_factory.mktemp("keyed") / "text"
    write_keyed(path, entries)
    for part in (keys, keys & entries.keys()):
        found = read_keyed(path, part)
        assert list(found.items()) == [(k, v) for k, v in entries.items() if k in part]


def test_what_was_left_out_is_counted_by_cause():
    reasons = ["no_audio gone.wav", "bad_line", "no_audio"]
    assert count_dropped(reasons) == "left out 3: 1 bad_line, 2 no_audio"
    assert count_dropped([]) == "left out 0"


def test_read_keyed_is_lenient_about_space(tmp_path):
    (tmp_path / "text").write_bytes(b"b  two  words \r\na\nc x")
    assert list(read_keyed(tmp_path / "text").items()) == [
        ("b", "two  words"),
        ("a", ""),
        ("c", "x"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"b \xff", "not UTF-8"),
        (b"", "empty line"),
        (b"  \t", "empty line"),
        (b"a again", "duplicate key a"),
    ],
)
def test_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "text"
    path.write_bytes(b"a x\n" + line + b"\nc y\n")
    with pytest.raises(ValueError) as error:
        read_keyed(path)
    assert str(error.value).startswith(f"{path}:2: {message}")


@pytest.mark.parametrize("failure", [KeyError("b"), OSError("disk full"), KeyboardInterrupt()])
def test_failed_write_leaves_old_file(tmp_path, failure):
    path = tmp_path / "text"
    write_lines(path, ["old"])

    def lines():
        yield "new"
        raise failure

    with pytest.raises(type(failure)):
        write_lines(path, lines())
    assert path.read_text() == "old\n"
    assert names(tmp_path) == ["text"]


def test_invert_utt2spk_sorts():
    utt2spk = {"b-2": "b", "a-1": "a", "b-1": "b", "a-10": "a"}
    inverted = invert_utt2spk(utt2spk)
    assert list(inverted.items()) == [("a", ["a-1", "a-10"]), ("b", ["b-1", "b-2"])]


def test_write_data_dir_replaces_all(tmp_path):
    folder = tmp_path / "new" / "train"
    write_data_dir(folder, {"old": Utterance("/old.wav", "old", "s", 1.0)})
    (folder / "segments").write_text("left over")
    utterances = {
        "b": Utterance("/b.wav", "words of b", "s2", 1.0),
        "é": Utterance("/e.wav", "é", "s1", 1.0),
        "a": Utterance("/a.wav", "words", "s2", 1.0),
    }
    write_data_dir(folder, utterances)
    assert {path.name: path.read_text("utf-8") for path in folder.iterdir()} == {
        "wav.scp": "a /a.wav\nb /b.wav\né /e.wav\n",
        "text": "a words\nb words of b\né é\n",
        "utt2spk": "a s2\nb s2\né s1\n",
        "spk2utt": "s1 é\ns2 a b\n",
    }
    assert names(folder.parent) == ["train"]


@pytest.mark.parametrize("has_old", [False, True])
def test_error_inside_replaced_dir_changes_nothing(tmp_path, has_old):
    if has_old:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "file").write_text("old")
    with pytest.raises(RuntimeError, match="half-way"), replaced_dir(tmp_path / "a") as folder:
        (folder / "file").write_text("new")
        raise RuntimeError("half-way")
    assert names(tmp_path) == (["a"] if has_old else [])
    assert not has_old or (tmp_path / "a" / "file").read_text() == "old"


def test_read_audio(tmp_path):
    samples = np.array([0.0, 0.5, -0.25], np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 8000)
    read = read_audio(str(tmp_path / "a.wav"), 8000)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, samples)


@pytest.mark.parametrize(
    ("rate", "channels", "message"), [(8000, 1, "8000 Hz with 1"), (16000, 2, "16000 Hz with 2")]
)
def test_read_audio_refuses_what_stage_3_would_change(tmp_path, rate, channels, message):
    soundfile.write(tmp_path / "a.wav", np.zeros((80, channels)), rate)
    with pytest.raises(ValueError, match=rf"a.wav: {message} channel.*16000 Hz mono: run stage 3"):
        read_audio(str(tmp_path / "a.wav"), 16000)


def make_data_dir(path, names, segments=False):
    write_data_dir(path, {n: Utterance(f"/{n}.wav", f"text {n}", n[0], 1.0) for n in names})
    if segments:
        (path / "segments").write_text("".join(f"{n} {n} 0 1\n" for n in names))
    return path


def test_combined_data_dirs(tmp_path):
    sources = [make_data_dir(tmp_path / "a", ["s1", "t1"]), make_data_dir(tmp_path / "b", ["s2"])]
    assert combine_data_dirs(sources, tmp_path / "all") == 3
    assert list(read_keyed(tmp_path / "all" / "text")) == ["s1", "s2", "t1"]
    assert read_keyed(tmp_path / "all" / "spk2utt") == {"s": "s1 s2", "t": "t1"}
    assert not (tmp_path / "all" / "segments").exists()


def test_data_dirs_that_cannot_be_combined(tmp_path):
    a, b = make_data_dir(tmp_path / "a", ["s1"]), make_data_dir(tmp_path / "b", ["s1"])
    with pytest.raises(ValueError, match="s1 is in another set"):
        combine_data_dirs([a, b], tmp_path / "all")
    c = make_data_dir(tmp_path / "c", ["s3"], segments=True)
    with pytest.raises(ValueError, match="c has segments, others have none"):
        combine_data_dirs([a, c], tmp_path / "all")
    assert not (tmp_path / "all").exists()
