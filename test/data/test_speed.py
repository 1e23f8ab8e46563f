"""Copies at other speeds: their data directory."""

import subprocess
import sys
from pathlib import Path

import pytest

from espnet_ssr.align.alignment import Alignment, Span, read_ctm, write_ctm
from espnet_ssr.data.speed import parse_factors, perturb_data_dir
from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import Utterance, read_keyed, write_data_dir, write_keyed

UTILS = Path(__file__).parents[2] / "utils"


@pytest.fixture
def train(tmp_path):
    """Three utterances of two speakers."""
    path = tmp_path / "train"
    write_data_dir(
        path,
        {
            "a-1": Utterance("/a 1.wav", "one two", "a", 1.0),
            "a-2": Utterance("/a2.wav", "three", "a", 1.0),
            "b-1": Utterance("/b1.wav", "four", "b", 1.0),
        },
    )
    return path


@pytest.mark.parametrize(
    ("factors", "speeds"),
    [
        (["0.9", "1.1"], {"0.9": 0.9, "1.1": 1.1}),
        (["0.9", "1.0", "1.1"], {"0.9": 0.9, "1.1": 1.1}),  # as ESPnet's recipes have it
        (["1"], {}),
        ([".5", "2e0"], {".5": 0.5, "2e0": 2.0}),
    ],
)
def test_parse_factors(factors, speeds):
    assert parse_factors(factors) == speeds


@pytest.mark.parametrize("bad", ["fast", "", "0", "-0.9", "nan", "inf"])
def test_factor_that_is_no_speed(bad):
    with pytest.raises(
        ValueError, match="speed perturbation: a speed is a positive number"
    ) as error:
        parse_factors(["0.9", bad])
    assert repr(bad) in str(error.value)


def test_the_same_factor_twice():
    with pytest.raises(ValueError, match=r"the factor \.9 is there twice"):
        parse_factors(["0.9", ".9"])


def test_perturbed_data_dir(train, tmp_path):
    path = tmp_path / "train_sp"
    assert perturb_data_dir(train, path, ["0.9", "1.0"]) == 6
    assert check_data_dir(path, has_audio=False) == []
    assert read_keyed(path / "wav.scp") == {
        "a-1": "/a 1.wav",
        "a-2": "/a2.wav",
        "b-1": "/b1.wav",
        "sp0.9-a-1": "/a 1.wav",
        "sp0.9-a-2": "/a2.wav",
        "sp0.9-b-1": "/b1.wav",
    }
    assert read_keyed(path / "text")["sp0.9-a-1"] == "one two"
    assert read_keyed(path / "spk2utt") == {
        "a": "a-1 a-2",
        "b": "b-1",
        "sp0.9-a": "sp0.9-a-1 sp0.9-a-2",
        "sp0.9-b": "sp0.9-b-1",
    }
    originals, speeds = read_keyed(path / "utt2uniq"), read_keyed(path / "utt2speed")
    assert (originals["a-2"], speeds["a-2"]) == ("a-2", "1.0")
    assert (originals["sp0.9-a-2"], speeds["sp0.9-a-2"]) == ("a-2", "0.9")
    assert originals.keys() == speeds.keys() == read_keyed(path / "text").keys()


def test_segments_have_times_of_the_shared_recording(train, tmp_path):
    write_keyed(train / "wav.scp", {"r": "/r.wav"})
    write_keyed(train / "segments", {"a-1": "r 0 1", "a-2": "r 1 2.5", "b-1": "r 2.5 3"})
    path = tmp_path / "train_sp"
    perturb_data_dir(train, path, ["1.1"])
    assert check_data_dir(path, has_audio=False) == []
    assert read_keyed(path / "wav.scp") == {"r": "/r.wav"}
    segments = read_keyed(path / "segments")
    assert segments["a-2"] == segments["sp1.1-a-2"] == "r 1 2.5"
    assert len(segments) == 6


def test_true_times_are_rescaled(train, tmp_path):
    spans = [Span("one", 0.2, 0.5, -1.0), Span("two", 0.6, 0.9)]
    write_ctm(train / "word.ctm", [Alignment("a-1", spans)])
    perturb_data_dir(train, tmp_path / "train_sp", ["2"])
    words = read_ctm(tmp_path / "train_sp/word.ctm")
    assert words["a-1"].spans == spans
    assert words["sp2-a-1"].spans == [Span("one", 0.1, 0.25, -1.0), Span("two", 0.3, 0.45)]
    assert len(words) == 2


def test_perturbing_twice_is_refused(train, tmp_path):
    perturb_data_dir(train, tmp_path / "train_sp", ["0.9"])
    with pytest.raises(ValueError, match="train_sp has copies already"):
        perturb_data_dir(tmp_path / "train_sp", tmp_path / "twice", ["1.1"])
    (tmp_path / "train_sp/utt2speed").unlink()
    with pytest.raises(ValueError, match="train_sp has copies of these names already"):
        perturb_data_dir(tmp_path / "train_sp", tmp_path / "twice", ["0.9"])
    assert not (tmp_path / "twice").exists()


def test_table_that_lacks_an_utterance(train, tmp_path):
    write_keyed(train / "utt2spk", {"a-1": "a", "b-1": "b"})
    with pytest.raises(ValueError, match="utt2spk: no line of a-2"):
        perturb_data_dir(train, tmp_path / "train_sp", ["0.9"])
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_command(train, tmp_path):
    def perturb(*factors):
        command = [sys.executable, UTILS / "perturb_data_dir_speed.py", train, tmp_path / "sp"]
        return subprocess.run([*command, *factors], capture_output=True, text=True, check=False)

    assert perturb("0.9", "1.1").stdout == f"{tmp_path}/sp: 9 utterances\n"
    failed = perturb("slow")
    assert failed.returncode == 1
    assert "not 'slow'" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert len(read_keyed(tmp_path / "sp/text")) == 9
