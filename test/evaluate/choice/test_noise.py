"""Choice tasks in noise: a file of its own for each clip, with the ratio asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ssr.data.augment_noise import mean_power
from espnet_ssr.datadir import Utterance, write_data_dir
from espnet_ssr.evaluate.choice import ask
from espnet_ssr.evaluate.choice.ask import Machine, ask_all
from espnet_ssr.evaluate.choice.experiment import Asked, Speech, System
from espnet_ssr.evaluate.choice.item import Item, Part
from espnet_ssr.evaluate.choice.noise import KINDS, Noise, add_noise
from espnet_ssr.evaluate.choice.readers import Skipped

RATE = 16000


def write_noise(path, seed, seconds=0.3):
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 0.05
    soundfile.write(path, samples, RATE)
    return str(path)


@pytest.fixture
def source(tmp_path):
    """A data directory of four speakers."""
    files = {f"{s}-1": write_noise(tmp_path / f"{s}.wav", ord(s)) for s in "abcd"}
    utterances = {u: Utterance(file, "one", u[0], 0.3) for u, file in files.items()}
    write_data_dir(tmp_path / "source", utterances)
    return tmp_path / "source"


@pytest.fixture
def items(tmp_path):
    """By mode; one clip stands in two items."""
    clips = [write_noise(tmp_path / f"{n}.wav", n) for n in range(3)]
    first, second, third = (Part("word", True, clip) for clip in clips)
    written = Part("word")
    return {
        "S": [
            Item("1", "g", (first,), ((second,), (third,)), 0),
            Item("2", "g", (second,), ((first,), (written,)), 0),
        ],
        "S->T": [Item("1", "g", (first,), ((written,), (written,)), 0)],
        "T": [Item("1", "g", (written,), ((written,), (written,)), 0)],
    }


def noise_of(kind, source, snr=10, **options):
    return Noise(kind, snr, str(source) if kind in ("babble", "speech_shaped") else None, **options)


def clips_of(items):
    sides = [s for found in items.values() for i in found for s in (i.context, *i.candidates)]
    return [part.audio for parts in sides for part in parts]


def read(path):
    return soundfile.read(path)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_clip_is_in_noise_at_the_ratio_asked_for(items, source, tmp_path, kind):
    noisy, left_out = add_noise(items, noise_of(kind, source), tmp_path / "noisy")
    assert left_out == []
    assert noisy["T"] == items["T"]
    pairs = dict(zip(clips_of(items), clips_of(noisy), strict=True))
    assert pairs.pop(None) is None
    assert len(set(pairs.values()) - pairs.keys()) == len(pairs) == 3
    for clean, file in pairs.items():
        speech, mixture = read(clean), read(file)
        assert len(mixture) == len(speech)
        ratio = mean_power(speech) / mean_power(mixture - speech)
        assert 10 * np.log10(ratio) == pytest.approx(10, abs=0.01)  # of 16 bit samples
    assert len(clips_of(noisy)) == len(clips_of(items))


@pytest.mark.parametrize("kind", KINDS)
def test_other_noise_is_another_file_and_the_same_is_not_made_again(items, source, tmp_path, kind):
    folder = tmp_path / "noisy"

    def files(noise):
        return clips_of(add_noise(items, noise, folder)[0])

    first = files(noise_of(kind, source))
    written = {file: Path(file).stat().st_mtime_ns for file in filter(None, first)}
    assert files(noise_of(kind, source)) == first
    assert all(Path(file).stat().st_mtime_ns == time for file, time in written.items())
    for other in (noise_of(kind, source, 0), noise_of(kind, source, seed=1)):
        assert not set(filter(None, files(other))) & written.keys()
    # Whatever else is asked.
    assert (
        clips_of(add_noise({"S": items["S"][1:]}, noise_of(kind, source), folder)[0]) == first[3:6]
    )
    # Louder, it is the same noise.
    speech, mixture = read(items["S"][0].context[0].audio), read(first[0])
    louder = read(files(noise_of(kind, source, 0))[0])
    assert louder - speech == pytest.approx((mixture - speech) * np.sqrt(10), abs=3e-4)


@pytest.mark.slow
def test_two_jobs_make_the_same(items, source, tmp_path):
    noise = noise_of("babble", source)
    alone, _ = add_noise(items, noise, tmp_path / "one")
    shared, _ = add_noise(items, noise, tmp_path / "two", num_jobs=2)
    assert repr(shared) == repr(alone).replace("/one/", "/two/")


def test_silent_and_missing_clips_are_left_out(items, tmp_path):
    soundfile.write(tmp_path / "2.wav", np.zeros(100), RATE)
    noisy, left_out = add_noise(items, Noise("white", 0), tmp_path / "noisy")
    assert [(mode, item, cause) for mode, item, cause, _ in left_out] == [
        ("S", "1", "silent_speech")
    ]
    assert [item.item_id for item in noisy["S"]] == ["2"]
    (tmp_path / "0.wav").unlink()
    noisy, left_out = add_noise(items, Noise("white", 0), tmp_path / "noisy")
    assert [cause for *_, cause, _ in left_out] == ["no_audio", "no_audio", "no_audio"]
    assert (noisy["S"], noisy["S->T"], len(noisy["T"])) == ([], [], 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hum", 0), "'hum' is none of white, pink, speech_shaped, babble"),
        (("white", "loud"), "a number of dB, not 'loud'"),
        (("babble", 0), "babble needs a source"),
        (("white", 0, "data/test"), "white has no source"),
    ],
)
def test_noise_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=f"noise: .*{message}"):
        Noise(*arguments)


def test_all_systems_are_asked_in_the_same_noise(items, source, tmp_path, monkeypatch):
    """From a task with noise to what a system is given, and to what is left out."""
    soundfile.write(tmp_path / "2.wav", np.zeros(100), RATE)
    seen = []

    def take(system, asked, wanted, skipped, folder, machine):
        seen.append((wanted, skipped.counts))
        return {}

    monkeypatch.setattr(ask, "make_questions", lambda asked: (items, Skipped()))
    monkeypatch.setattr(ask, "ask", take)
    asked = Asked("blimp", "nowhere", noise=noise_of("babble", source))
    speech = Speech(["nobody"], str(tmp_path / "cache"))
    systems = [System("a", "chance"), System("b", "cascade")]
    assert len(list(ask_all(systems, asked, speech, tmp_path, Machine()))) == 2
    (first, counts), (second, _) = seen
    assert first == second
    assert counts == {"silent_speech": 1}
    assert all(str(tmp_path / "cache/noisy") in clip for clip in filter(None, clips_of(first)))
    clean = replace(asked, noise=None)
    list(ask_all(systems, clean, speech, tmp_path, Machine()))
    assert clips_of(seen[-1][0]) == clips_of(items)
