"""The cache of clips: what a clip depends on, checks, interruptions; voices are stand-ins."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from standin_voice import StandInTranscriber, StandInVoice

from espnet_ssr.tts.cache import Clip, SpeechCache, read_record
from espnet_ssr.tts.gate import Gate
from espnet_ssr.tts.voice import Refused


def is_second_try(samples):
    """Stand-ins speak up with each seed."""
    return np.abs(samples).max() > 1500 / 32768


def test_clip_and_its_record(tmp_path):
    voice = StandInVoice("ann")
    (clip,) = SpeechCache(tmp_path, [voice]).speak([("It cost $5.", voice)])
    samples, rate = soundfile.read(clip.audio)
    assert rate == 16000 and len(samples) == pytest.approx(4 * 1600, abs=2)
    assert (clip.text, clip.voice, clip.seed) == ("it cost five dollars", "ann", 0)
    assert clip.words == [(0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4)]
    assert voice.said == [("It cost five dollars.", 0)]
    assert read_record(clip.audio) == clip
    assert len(list(tmp_path.glob("*/*"))) == 2


def test_times_are_left_out_where_they_are_not_known(tmp_path):
    voice = StandInVoice("bob")
    (clip,) = SpeechCache(tmp_path, [voice]).speak([("Go.", voice)])
    assert clip.words is None and read_record(clip.audio) == clip


def test_clips_are_made_once(tmp_path):
    voice = StandInVoice("bob")
    first = SpeechCache(tmp_path, [voice]).speak([("Go on.", voice), ("Go on.", voice)])
    again = SpeechCache(tmp_path, [voice])
    assert again.speak([("Go on.", voice)]) == [first[0]] == [first[1]]
    assert len(voice.said) == 1
    assert again.counts == {"found": 1}


def test_clip_depends_on_text_voice_version_and_seed(tmp_path):
    voices = [StandInVoice("bob"), StandInVoice("eve"), StandInVoice("bob", version="2")]
    requests = [(text, voice) for text in ("Go.", "Stop.") for voice in voices]
    clips = [*SpeechCache(tmp_path, voices).speak(requests)]
    clips += SpeechCache(tmp_path, voices, seed=1).speak(requests)
    assert len({clip.audio for clip in clips}) == 12


@pytest.mark.parametrize("suffix", [".flac", ".json"])
def test_half_of_a_clip_is_none(tmp_path, suffix):
    voice = StandInVoice("bob")
    cache = SpeechCache(tmp_path, [voice])
    (clip,) = cache.speak([("Go.", voice)])
    Path(clip.audio).with_suffix(suffix).unlink()
    assert cache.speak([("Go.", voice)]) == [clip]
    assert len(voice.said) == 2


def test_damaged_record_is_named(tmp_path):
    voice = StandInVoice("bob")
    cache = SpeechCache(tmp_path, [voice])
    (clip,) = cache.speak([("Go.", voice)])
    path = Path(clip.audio).with_suffix(".json")
    for content in ("{", json.dumps({"text": "go", "words": None}), "[]"):
        path.write_text(content)
        with pytest.raises(ValueError, match=f"{path}: damaged"):
            cache.speak([("Go.", voice)])


def test_what_cannot_be_read_is_refused_in_its_place(tmp_path):
    voice = StandInVoice("bob")
    bad, good = SpeechCache(tmp_path, [voice]).speak([("x = 5", voice), ("Go.", voice)])
    assert isinstance(bad, Refused) and bad.cause == "formula"
    assert isinstance(good, Clip)


def test_misheard_clip_is_made_again_and_checked_once(tmp_path):
    voice = StandInVoice("bob")
    transcriber = StandInTranscriber(lambda s: "Go on now!" if is_second_try(s) else "Nothing")
    for _ in range(2):
        cache = SpeechCache(tmp_path, [voice], Gate(transcriber, "ear"))
        (clip,) = cache.speak([("Go on now.", voice)])
        assert (clip.seed, clip.heard) == (1, {"ear": "Go on now!"})
    assert voice.said == [("Go on now.", 0), ("Go on now.", 1)]
    assert transcriber.count == 2


def test_clip_that_is_always_misheard_is_dropped(tmp_path):
    voice = StandInVoice("bob")
    transcriber = StandInTranscriber(lambda samples: "Nothing like it")
    for _ in range(2):
        cache = SpeechCache(tmp_path, [voice], Gate(transcriber, "ear"), tries=2)
        (refused,) = cache.speak([("Go on now.", voice)])
        assert refused.cause == "misheard" and "Nothing like it" in str(refused)
    assert len(voice.said) == transcriber.count == 2


def test_another_recogniser_checks_what_is_there(tmp_path):
    voice = StandInVoice("bob")
    ear = StandInTranscriber(lambda samples: "Go.")
    for name in ("one", "two"):
        (clip,) = SpeechCache(tmp_path, [voice], Gate(ear, name)).speak([("Go.", voice)])
    assert clip.heard == {"one": "Go.", "two": "Go."}
    assert len(voice.said) == 1 and ear.count == 2


def test_voice_of_an_item_stays_when_a_voice_is_added(tmp_path):
    voices = [StandInVoice(name) for name in ("ann", "bob", "eve", "new")]
    before, after = SpeechCache(tmp_path, voices[:3]), SpeechCache(tmp_path, voices[::-1])
    ids = [f"item-{number}" for number in range(400)]
    moved = [i for i in ids if before.voices_of(i)[0] is not after.voices_of(i)[0]]
    assert {after.voices_of(i)[0].name for i in moved} == {"new"}
    for voice in voices:
        assert 60 < sum(after.voices_of(i)[0] is voice for i in ids) < 140
