"""Preparation of a miniature corpus in the layout of the Asterisk prompts, whole and damaged."""

import gzip
import os
import subprocess
import sys
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.recipes.asterisk import (
    SAMPLE_RATE,
    CorpusError,
    convert_g722,
    decode_g722,
    describe,
    find_sounds_dir,
    prepare_asterisk,
)

RECIPE = Path(__file__).parents[2] / "egs2" / "asterisk" / "ssr1"
TEXTS = {
    "vm-goodbye": "Goodbye",
    "digits/1": "one",
    "digits/a-m": "A.M.",
    "vm-savedto": "saved to",
    "beep": "[this is a simple beep tone]",
    "silence/1": "(1 second of silence)",
    "confbridge-leave": "<beep decending>",
    "vm-intro": "Please leave your message.  (simple tone sound plays)",
    "tt-weasels": "Weasels have eaten our phone system",
}
SPOKEN = {"vm-goodbye", "digits/1", "digits/a-m", "vm-savedto", "vm-intro", "tt-weasels"}


def write_g722(path, seconds=1.5):
    """Encode a tone as G.722."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    samples = (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    with av.open(str(path), "w", format="g722") as container:
        stream = container.add_stream("g722", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


@pytest.fixture
def corpus(tmp_path):
    """Return a folder laid out as Debian's packages, unpacked."""
    folder = tmp_path / "corpus"
    for key in TEXTS:
        write_g722(sounds(folder) / f"{key}.g722")
    write_list(folder, "; Core sounds\n\n" + "".join(f"{key}: {TEXTS[key]}\n" for key in TEXTS))
    return folder


def sounds(corpus_dir):
    """Return the folder of the audio."""
    return corpus_dir / "usr" / "share" / "asterisk" / "sounds" / "en_US_f_Allison"


def write_list(corpus_dir, content):
    """Write the gzipped list of prompts."""
    folder = corpus_dir / "usr" / "share" / "doc" / "asterisk-core-sounds-en"
    folder.mkdir(parents=True, exist_ok=True)
    content = content if isinstance(content, bytes) else content.encode()
    (folder / "core-sounds-en.txt.gz").write_bytes(gzip.compress(content))


def prepare(corpus_dir):
    """Prepare a corpus beside itself; returns what was done, and what was dropped, by key."""
    folder = corpus_dir.parent
    prepared = prepare_asterisk(corpus_dir, folder / "wav16k", folder / "data")
    return prepared, {entry.key: entry.cause for entry in prepared.dropped}


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"x" + b, lambda b: b[:12] + b[13:]]
)
def test_damaged_gzip(tmp_path, corpus, damage):
    path = next(corpus.rglob("*.gz"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorpusError, match=str(path)):
        prepare(corpus)


def test_whole_corpus(corpus):
    prepared, dropped = prepare(corpus)
    assert dropped == dict.fromkeys(["beep", "silence/1", "confbridge-leave"], "non_speech")
    expected = {f"allison-{key.replace('/', '__')}" for key in SPOKEN}
    assert prepared.utterances.keys() == expected
    # Sentences fill the small corpus's test set, single words stay in train.
    assert prepared.split.test == ["allison-tt-weasels", "allison-vm-intro"]
    data = corpus.parent / "data"
    for name in ("train", "test"):
        assert check_data_dir(data / name) == []
    assert "allison-vm-intro please leave your message\n" in (data / "test" / "text").read_text()
    assert (data / "dropped").read_text().splitlines()[0] == (
        "beep non_speech [this is a simple beep tone]"
    )
    assert "test      2 utterances     3.0 s    10 words, 100.0%" in describe(prepared)
    assert sorted(path.name for path in data.iterdir()) == ["dropped", "test", "train", "valid"]


def test_second_run_keeps_the_audio(corpus):
    prepare(corpus)
    audio = sorted((corpus.parent / "wav16k").iterdir())
    written = [path.stat().st_mtime_ns for path in audio]
    audio[1].write_bytes(audio[1].read_bytes()[:-1])
    prepare(corpus)
    again = [path.stat().st_mtime_ns for path in audio]
    assert [old == new for old, new in zip(written, again, strict=True)] == [
        index != 1 for index in range(len(audio))
    ]
    assert check_data_dir(corpus.parent / "data" / "train") == []


def test_damaged_corpus(corpus):
    (sounds(corpus) / "vm-goodbye.g722").write_bytes(b"")
    (sounds(corpus) / "tt-weasels.g722").write_bytes(b"cut short")
    (sounds(corpus) / "digits" / "1.g722").unlink()
    write_g722(sounds(corpus) / "digits" / "99.g722")
    content = "".join(f"{key}: {text}\n" for key, text in TEXTS.items())
    write_list(
        corpus, content.replace("vm-savedto: saved to", "vm-savedto: ?!").encode() + b"\xff\n"
    )
    prepared, dropped = prepare(corpus)
    assert prepared.utterances.keys() == {"allison-digits__a-m", "allison-vm-intro"}
    assert {key: cause for key, cause in dropped.items() if cause != "non_speech"} == {
        "vm-goodbye": "bad_audio",
        "tt-weasels": "bad_audio",
        "digits/1": "no_audio",
        "vm-savedto": "empty_text",
        "digits/99": "no_text",
        "line_10": "bad_utf8",
    }


def test_no_corpus(corpus):
    for path in corpus.rglob("*.g722"):
        path.write_bytes(b"")
    with pytest.raises(CorpusError, match="none of its 9 prompts can be used"):
        prepare(corpus)
    for path in corpus.rglob("*.g722"):
        path.unlink()
    with pytest.raises(CorpusError, match=r"no \.g722 file"):
        prepare(corpus)
    next(corpus.rglob("*.gz")).unlink()
    with pytest.raises(CorpusError, match=r"no core-sounds-en\.txt"):
        prepare(corpus)


def test_english_is_preferred(corpus):
    for key in [*TEXTS, "more"]:
        write_g722(sounds(corpus).parent / "cs_CZ" / f"{key}.g722", 0.1)
    assert find_sounds_dir(corpus, [*TEXTS, "more"]) == sounds(corpus)


@settings(max_examples=10, deadline=None)
@given(content=st.binary(max_size=50))
def test_any_bytes_decode_to_two_samples_each(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "a.g722"
    path.write_bytes(content)
    if content:
        assert decode_g722(path).shape == (2 * len(content),)
    else:
        with pytest.raises(ValueError, match="empty"):
            decode_g722(path)


def test_decoding(tmp_path):
    source = write_g722(tmp_path / "tone.g722", seconds=1)
    assert convert_g722(source, tmp_path / "tone.wav") == pytest.approx(1, abs=0.01)
    with wave.open(str(tmp_path / "tone.wav")) as file:
        assert file.getparams()[:3] == (1, 2, SAMPLE_RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    spectrum = np.abs(np.fft.rfft(samples[:SAMPLE_RATE]))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(samples[:SAMPLE_RATE]) == pytest.approx(
        440, abs=2
    )


def test_data_sh_names_a_wrong_folder(tmp_path):
    (tmp_path / "db.sh").write_text(f"ASTERISK={tmp_path / 'none'}\n")
    utils = RECIPE.parents[2] / "utils"
    path = os.pathsep.join([str(Path(sys.executable).parent), str(utils), os.environ["PATH"]])
    result = subprocess.run(
        ["bash", RECIPE / "local" / "data.sh"],
        cwd=tmp_path,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"local/data.sh: db.sh sets ASTERISK={tmp_path / 'none'}: no such folder\n"
    )
