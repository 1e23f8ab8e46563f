"""Kokoro voices: phonemes, tokens, styles; with a stand-in for the model and for eSpeak."""

import json
import sys
import types

import numpy as np
import pytest

from espnet_ssr.tts import kokoro
from espnet_ssr.tts.kokoro import Kokoro, KokoroModel, split_sentences
from espnet_ssr.tts.voice import Reading, Refused


class StandInEspeak:
    """A letter is a phoneme; sentences end with a stop. British r is silent."""

    def phonemize(self, language, text):
        text = text.lower().replace("r", "") if language == "en" else text.lower()
        return [list(sentence) for sentence in text.replace(". ", ".\n").split("\n")]


class StandInSession:
    """Remembers its inputs; audio is too loud."""

    def run(self, names, inputs):
        assert names == ["audio"]
        self.inputs = inputs
        return [np.array([0.5, -2, 2], np.float32)]


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A folder with two voices, one of them not English."""
    module = types.SimpleNamespace(EspeakPhonemizer=StandInEspeak)
    monkeypatch.setitem(sys.modules, "piper", types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "piper.phonemize_espeak", module)
    monkeypatch.setattr(kokoro, "open_session", lambda path: StandInSession())
    monkeypatch.setattr(kokoro, "version", lambda package: "1.0")
    vocabulary = {symbol: 1 + number for number, symbol in enumerate("abcdefgɹst. 'k")}
    (tmp_path / "model.onnx").touch()
    (tmp_path / "config.json").write_text(json.dumps({"vocab": vocabulary}))
    (tmp_path / "voices").mkdir()
    styles = np.arange(5, dtype="<f4")[:, None].repeat(256, axis=1)
    for name in ("af_ann", "bm_bob", "jf_alpha"):
        styles.tofile(tmp_path / "voices" / f"{name}.bin")
    return KokoroModel(tmp_path)


def test_phonemes_are_those_the_model_knows(model):
    assert Kokoro(model, "af_ann").read("A car. Get taxed").text == "a caɹ. get taked"


def test_voices_speak_their_english(model):
    assert Kokoro(model, "af_ann").read("A car.").text == "a caɹ."
    assert Kokoro(model, "bm_bob").read("A car.").text == "a ca."


def test_tokens_are_padded_and_the_style_is_that_of_their_number(model):
    voice = Kokoro(model, "af_ann")
    samples, words = voice.speak(Reading("ab."))
    assert (samples.tolist(), words) == ([16383, -32767, 32767], None)
    assert model.session.inputs["tokens"].tolist() == [[0, 1, 2, 11, 0]]
    assert model.session.inputs["style"].shape == (1, 256)
    assert model.session.inputs["style"][0, 0] == 3
    voice.speak(Reading("abababab"))
    assert model.session.inputs["style"][0, 0] == 4  # the last there is


def test_another_seed_is_another_speed(model):
    voice = Kokoro(model, "af_ann")
    speeds = []
    for seed in (0, 1, 1, 2):
        voice.speak(Reading("ab."), seed)
        speeds.append(float(model.session.inputs["speed"][0]))
    assert speeds[0] == 1 and speeds[1] == speeds[2] and len(set(speeds)) == 3
    assert all(0.85 <= speed <= 1.15 for speed in speeds)


def test_text_that_is_too_long_is_read_by_sentences(model):
    sentence = "a" * 200 + "."
    text = " ".join([sentence] * 3)
    assert split_sentences(text) == [f"{sentence} {sentence}", sentence]
    voice = Kokoro(model, "af_ann")
    assert len(voice.speak(voice.read(text)).samples) == 2 * 3


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("...", "no_words"),
        ("500 cats", "not_plain"),
        ("A zebra.", "unknown_phoneme"),
        ("a " * 256, "too_long"),
    ],
)
def test_refused(model, text, cause):
    with pytest.raises(Refused) as caught:
        Kokoro(model, "af_ann").read(text)
    assert caught.value.cause == cause


@pytest.mark.parametrize("name", ["af_eve", "jf_alpha", ""])
def test_other_voice_names_those_there_are(model, name):
    with pytest.raises(ValueError, match="no such English voice; there are: af_ann bm_bob"):
        Kokoro(model, name)


def test_folder_without_the_model_is_named(model, tmp_path):
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(ValueError, match=f"{tmp_path}: no model.onnx: run 'make -C tools voices'"):
        KokoroModel(tmp_path)
