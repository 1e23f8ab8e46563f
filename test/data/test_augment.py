"""Augmented copies: what is drawn, what is written down, what stage 3 makes of it."""

import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ssr.align.alignment import Alignment, Span, read_ctm, write_ctm
from espnet_ssr.data.augment import Drawing, augment_data_dir, parse_settings
from espnet_ssr.data.augment_effects import Effect, apply_effects, load_effects
from espnet_ssr.data.augment_noise import PEAK, mean_power
from espnet_ssr.data.copies import read_effects
from espnet_ssr.data.format import (
    AudioFormat,
    complete_data_dir,
    describe_input,
    format_utterances,
    read_recording,
    read_recordings,
)
from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import Utterance, read_keyed, write_data_dir, write_keyed
from espnet_ssr.progress import Progress
from espnet_ssr.shards import merge_shards, run_shards

UTILS = Path(__file__).parents[2] / "utils"
RATE = 8000
ALL = "speed=0.9,1.1 noise=5,20 babble=5,20 room=0.2,0.6"


def write_set(folder, names, seconds=0.5, channels=1):
    """A set of noises of different loudness, by the speakers before the dashes."""
    folder.mkdir(exist_ok=True)
    utterances = {}
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        samples = rng.standard_normal((round(seconds * RATE), channels)) * (0.01 + 0.02 * number)
        soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="FLOAT")
        path = str(folder / f"{name}.wav")
        utterances[name] = Utterance(path, "one", name.split("-")[0], seconds)
    write_data_dir(folder / "train", utterances)
    return folder / "train"


@pytest.fixture
def train(tmp_path):
    return write_set(tmp_path / "audio", ["a-1", "a-2", "b-1", "c-1", "d-1"])


def augment(train, text, name="aug", **options):
    path = train.parent / name
    augment_data_dir(train, path, Drawing(parse_settings(text), **options))
    return path


def make_audio(path):
    """What stage 3 reads of each utterance."""
    return {u: read_recording(r, RATE) for u, r in read_recordings(path).items()}


def format_set(path, output_dir, audio_format=None, **options):
    """Stage 3 as one job; returns the causes of what was left out."""
    recordings, texts = read_recordings(path), read_keyed(path / "text")
    audio_format = audio_format or AudioFormat(RATE, "wav", 0.1, 120)
    work = partial(format_utterances, recordings=recordings, texts=texts, audio_format=audio_format)
    inputs = {u: describe_input(recordings[u], texts[u]) for u in texts}
    run_shards(inputs, output_dir / "shards", 1, {}, work, **options)
    names = ("wav.scp", "utt2num_samples", "dropped")
    merge_shards(output_dir / "shards", 1, names, output_dir)
    return {u: reason.split()[0] for u, reason in read_keyed(output_dir / "dropped").items()}


def test_settings():
    assert parse_settings("babble=5,20 speed=0.9,1,1.1 white=-5") == {
        "babble": (5, 20),
        "speed": (0.9, 1, 1.1),
        "white": (-5,),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing to do"),
        ("music=5", "'music=5' is no kind=values"),
        ("babble", "'babble' is no kind=values"),
        ("babble=", "numbers with commas between"),
        ("babble=5;20", "numbers with commas between"),
        ("babble=nan", "numbers with commas between"),
        ("babble=20,5", "the lowest and the highest"),
        ("noise=1,2,3", "the lowest and the highest"),
        ("noise=1 noise=2", "noise is there twice"),
        ("speed=0,1", "a positive number"),
        ("room=0.2,9", "from 0.05 s to 2 s"),
    ],
)
def test_settings_that_cannot_be(text, message):
    with pytest.raises(ValueError, match=message):
        parse_settings(text)


def test_augmented_data_dir(train):
    write_ctm(train / "word.ctm", [Alignment("a-1", [Span("one", 0.1, 0.2)])])
    path = augment(train, "speed=2", copies=2)
    assert check_data_dir(path, has_audio=False) == []
    utt_ids = list(read_keyed(train / "text"))
    names = sorted(f"{p}{u}" for p in ("", "aug1-", "aug2-") for u in utt_ids)
    assert list(read_keyed(path / "text")) == names
    assert read_keyed(path / "utt2spk")["aug2-a-1"] == "aug2-a"
    assert read_keyed(path / "utt2uniq")["aug2-a-1"] == "a-1"
    assert read_keyed(path / "utt2speed")["aug2-a-1"] == "2.0"
    assert read_keyed(path / "utt2speed")["a-1"] == "1.0"
    words = read_ctm(path / "word.ctm")
    assert words["aug1-a-1"].spans == [Span("one", 0.05, 0.1)]
    assert words["a-1"].spans == [Span("one", 0.1, 0.2)]


def test_what_is_drawn_depends_on_seed_and_name_alone(train):
    lines = read_keyed(augment(train, ALL, copies=20) / "utt2effects")
    assert read_keyed(augment(train, ALL, copies=20, name="again") / "utt2effects") == lines
    assert read_keyed(augment(train, ALL, copies=20, seed=1) / "utt2effects") != lines
    # One utterance less.
    write_keyed(train / "text", {u: "one" for u in read_keyed(train / "text") if u != "a-2"})
    fewer = augment(train, "white=5 room=0.2,0.6", copies=9)
    write_keyed(train / "text", dict.fromkeys(read_keyed(train / "utt2spk"), "one"))
    more = read_keyed(augment(train, "white=5 room=0.2,0.6", copies=9, name="more") / "utt2effects")
    assert read_keyed(fewer / "utt2effects").items() < more.items()


def test_every_copy_has_one_kind_at_least_and_values_are_in_range(train):
    path = augment(train, ALL, copies=100)
    effects = read_effects(path, read_keyed(path / "text"))
    speeds, speakers = read_keyed(path / "utt2speed"), read_keyed(train / "utt2spk")
    copies = [u for u in speeds if u.startswith("aug")]
    kinds = Counter(e.kind for u in copies for e in effects.get(u, ()))
    for utt_id in copies:
        assert effects.get(utt_id) or speeds[utt_id] != "1.0"
        for effect in effects.get(utt_id, ()):
            low, high = (0.2, 0.6) if effect.kind == "room" else (5, 20)
            assert low <= effect.value <= high
            others = [speakers[s] for s in effect.sources]
            if effect.kind == "babble":
                assert len(set(others)) == 3  # of four speakers, all others
                assert speakers[utt_id.split("-", 1)[1]] not in others
    assert all(u.startswith("aug") for u in effects)
    # A half, and a quarter of those without any.
    assert kinds["room"] / len(copies) == pytest.approx(1 / 2 + 1 / 64, abs=0.08)
    assert {"white", "pink", "speech_shaped", "babble"} < kinds.keys()
    assert Counter(speeds[u] for u in copies)["0.9"] / len(copies) == pytest.approx(0.26, abs=0.08)


@pytest.mark.parametrize("kind", ["white", "pink", "speech_shaped", "babble"])
def test_noisy_set_has_the_ratio_asked_for(train, kind):
    clean = make_audio(train)
    path = augment(train, f"{kind}=10", originals=False)
    noisy = make_audio(path)
    assert list(noisy) == list(clean)
    assert check_data_dir(path, has_audio=False) == []
    for utt_id, samples in noisy.items():
        assert len(samples) == len(clean[utt_id])
        ratio = mean_power(clean[utt_id]) / mean_power(samples - clean[utt_id])
        assert 10 * np.log10(ratio) == pytest.approx(10, abs=1e-3)
    again = make_audio(augment(train, f"{kind}=10", originals=False, name="again"))
    assert all(np.array_equal(again[u], noisy[u]) for u in noisy)


def test_all_kinds_at_a_time_in_order(train):
    path = augment(train, "babble=0 room=0.3 speed=2", probability=1, originals=False)
    for effects in read_effects(path, read_keyed(path / "text")).values():
        assert [effect.kind for effect in effects] == ["room", "babble"]
    audio = make_audio(path)
    assert {len(samples) for samples in audio.values()} == {RATE // 4}


def test_loud_speech_is_not_clipped():
    speech = np.sin(np.arange(1000)).astype(np.float32)
    noisy = apply_effects(speech, [Effect("white", 0, 1)], RATE, lambda name: None)
    assert np.abs(noisy).max() == pytest.approx(PEAK)
    assert noisy.dtype == np.float32


@pytest.mark.parametrize(
    "line", ["", "{}", "3", '[["hum", 1, 2]]', '[["white", "x", 2]]', "[[]]", "[1]"]
)
def test_damaged_line(line):
    with pytest.raises(ValueError, match="utt2effects: a: no list of effects"):
        load_effects(line, "utt2effects: a")


def test_segments_and_channels(tmp_path):
    train = write_set(tmp_path / "audio", ["a", "b"], seconds=1, channels=2)
    write_keyed(train / "segments", {"a-1": "a 0 0.5", "a-2": "a 0.5 1", "b-1": "b 0.25 0.5"})
    write_keyed(train / "text", dict.fromkeys(["a-1", "a-2", "b-1"], "one"))
    write_keyed(train / "utt2spk", {"a-1": "a", "a-2": "a", "b-1": "b"})
    write_keyed(train / "spk2utt", {"a": "a-1 a-2", "b": "b-1"})
    path = augment(train, "babble=3")
    assert check_data_dir(path, has_audio=False) == []
    audio = make_audio(path)
    assert [len(audio[u]) / RATE for u in ("aug1-a-1", "aug1-a-2", "aug1-b-1")] == [0.5, 0.5, 0.25]
    # The only other speaker, over and over.
    other = audio["aug1-a-1"] - audio["a-1"]
    assert other[: RATE // 4] == pytest.approx(other[RATE // 4 :], abs=1e-6)


def test_what_cannot_be_augmented_is_counted(train, tmp_path):
    folder = tmp_path / "audio"
    soundfile.write(folder / "a-1.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "b-1.wav", np.ones(RATE // 20), RATE)
    (folder / "c-1.wav").unlink()
    path = augment(train, "white=5")
    (tmp_path / "dump").mkdir()
    dropped = format_set(path, tmp_path / "dump")
    expected = {"b-1": "too_short", "aug1-b-1": "too_short", "aug1-a-1": "silent_speech"}
    assert dropped == {**expected, "c-1": "unreadable_audio", "aug1-c-1": "unreadable_audio"}
    summary = complete_data_dir(path, tmp_path / "dump", RATE)
    assert "1 silent_speech (aug1-a-1)" in summary
    kept = read_keyed(tmp_path / "dump/wav.scp")
    assert read_keyed(tmp_path / "dump/utt2effects").keys() == {u for u in kept if "aug" in u}
    # Talkers who are not usable are left out of the babble; all of them, and there is none.
    dropped = format_set(augment(train, "babble=5", originals=False, name="b"), tmp_path / "dump")
    assert {u: cause for u, cause in dropped.items() if u[0] in "ad"} == {"a-1": "silent_speech"}
    for name in "d-1", "b-1":
        (folder / f"{name}.wav").unlink()
    dropped = format_set(tmp_path / "audio/b", tmp_path / "dump")
    assert dropped["a-2"] == "no_noise_source"


def test_shards_are_kept_unless_a_source_changes(train, tmp_path):
    path = augment(train, "babble=5", originals=False)
    (tmp_path / "dump").mkdir()
    shards = tmp_path / "dump/shards"

    def shard_of_b():
        format_set(path, tmp_path / "dump", shard_size=1)
        return read_keyed(tmp_path / "dump/wav.scp")["b-1"].split("/")[-2]

    before = shard_of_b()
    assert shard_of_b() == before
    soundfile.write(tmp_path / "audio/c-1.wav", np.ones(RATE), RATE)
    assert shard_of_b() != before
    assert len([p for p in shards.iterdir() if p.is_dir()]) == 5


def test_sources_of_several_copies_without_originals_are_found(train):
    path = augment(train, "babble=5", originals=False, copies=2)
    assert len(read_keyed(path / "text")) == 10
    for recording in read_recordings(path).values():
        (effect,) = recording.effects
        for name in effect.sources:
            file = train.parent / f"{name.removeprefix('aug1-')}.wav"
            assert recording.sources[name].path == str(file)


def test_babble_needs_another_speaker(tmp_path):
    train = write_set(tmp_path / "audio", ["a-1", "a-2"])
    with pytest.raises(ValueError, match="babble needs other speakers than a, and"):
        augment(train, "babble=5")
    assert not (tmp_path / "audio/aug").exists()


def test_augmenting_twice_is_refused(train):
    path = augment(train, "white=5")
    with pytest.raises(ValueError, match="aug has copies already"):
        augment(path, "white=5", name="twice")


def test_source_that_is_gone(train):
    path = augment(train, "babble=5", originals=False)
    wav_scp = read_keyed(path / "wav.scp")
    write_keyed(path / "wav.scp", {u: wav for u, wav in wav_scp.items() if u != "d-1"})
    with pytest.raises(ValueError, match="no audio of d-1, which utt2effects names"):
        read_recordings(path, ["b-1"])


def test_command(train, tmp_path):
    def run(*arguments):
        command = [sys.executable, UTILS / "augment_data_dir.py", train, tmp_path / "out"]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    assert run(ALL, "--copies", "2").stdout == f"{tmp_path}/out: 15 utterances\n"
    failed = run("babble=loud")
    assert failed.returncode == 1
    assert "'babble=loud': numbers with commas" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_progress_is_counted(train, tmp_path):
    """Left-out copies count as done, too."""
    (tmp_path / "shard").mkdir()
    path = augment(train, "white=5")
    progress = Progress(10, "formatting")
    format_utterances(
        list(read_keyed(path / "text")),
        tmp_path / "shard",
        tmp_path / "final",
        progress,
        read_recordings(path),
        {},
        AudioFormat(),
    )
    assert progress.done == 10
