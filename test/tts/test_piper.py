"""Piper voices: whose phonemes are whose word, which texts are refused, real word times."""

import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.tts import piper
from espnet_ssr.tts.piper import Piper, as_read, find_words, merge_marks, speak
from espnet_ssr.tts.voice import Phone, Reading, Refused

RATE = 1000
WORD_SYMBOLS = "abdeˈː"


def times(words):
    """First and last sample of each word."""
    return [(word[0].begin, word[-1].end) for word in words]


class StandInVoice:
    """Reads a letter as a phoneme of 10 samples, but lacks z; "of the" and "so...on" as one
    word, "lunchroom" as two."""

    session = types.SimpleNamespace(reseed=lambda seed: None)
    config = types.SimpleNamespace(
        sample_rate=RATE, phoneme_id_map=dict.fromkeys("abcdefghijklmnopqrstuvwxy .,'")
    )

    def phonemize(self, text):
        text = text.lower().replace("of the", "ofthe").replace("so...on", "soon")
        text = text.replace("lunchroom", "lunch room")
        sentences = text.replace("|", " ").replace(". ", ".\n").splitlines()
        return [list(sentence) for sentence in sentences]

    def synthesize(self, text, config, include_alignments):
        assert include_alignments
        for symbols in self.phonemize(text):
            alignments = [
                types.SimpleNamespace(phoneme=symbol, num_samples=np.int64(10))
                for symbol in ["^", *symbols, "$"]
            ]
            samples = np.zeros(10 * len(alignments), np.int16)
            yield types.SimpleNamespace(phoneme_alignments=alignments, audio_int16_array=samples)


@pytest.fixture
def voice(monkeypatch):
    """The stand-in, in place of piper."""
    module = types.SimpleNamespace(SynthesisConfig=lambda volume: None)
    monkeypatch.setitem(sys.modules, "piper", module)
    return StandInVoice()


@pytest.fixture
def ann(tmp_path, voice, monkeypatch):
    """The voice "ann", read by the stand-in."""
    (tmp_path / "ann.onnx").touch()
    (tmp_path / "ann.onnx.json").touch()
    monkeypatch.setattr(piper, "load_piper", lambda model: voice)
    monkeypatch.setattr(piper, "version", lambda package: "1.0")
    return Piper(tmp_path)


def test_words_without_a_pause_between_them_touch():
    sounds = [("^", 5), ("a", 10), ("b", 10), (" ", 4), ("d", 10), ("$", 5)]
    assert times(find_words(sounds)) == [(5, 25), (25, 39)]
    assert times(find_words(sounds, 100)) == [(105, 125), (125, 139)]


def test_pause_is_no_part_of_a_word():
    sounds = [("^", 5), ("a", 10), (",", 20), (" ", 4), ("b", 10), (".", 7), ("$", 5)]
    assert times(find_words(sounds)) == [(5, 15), (39, 49)]


def test_nothing_but_separators():
    assert find_words([]) == find_words([("^", 5), (".", 3), ("$", 5)]) == []


@given(
    words=st.lists(st.text(WORD_SYMBOLS, min_size=1), min_size=1),
    data=st.data(),
)
def test_words_are_found_in_order_without_overlap(words, data):
    separators = st.sampled_from([" ", ", ", "; "])
    symbols = "".join(word + data.draw(separators) for word in words) + "."
    lengths = st.lists(st.integers(1, 50), min_size=len(symbols), max_size=len(symbols))
    sounds = list(zip(symbols, data.draw(lengths), strict=True))
    found = find_words(sounds)
    assert ["".join(phone.label for phone in word) for word in found] == words
    phones = [phone for word in found for phone in word]
    for left, right in zip(phones, phones[1:], strict=False):
        assert left.begin < left.end <= right.begin
    assert phones[-1].end <= sum(length for _, length in sounds)


def test_marks_belong_to_their_phone():
    word = [Phone(*phone) for phone in [("ˈ", 0, 2), ("ɑ", 2, 6), ("ː", 6, 9), ("k", 9, 12)]]
    assert merge_marks(word) == [Phone("ˈɑː", 0, 9), Phone("k", 9, 12)]


def test_merged_words_are_kept_apart_with_bars(voice):
    assert as_read(voice, "a cat.", ["a", "cat"]) == "a cat."
    assert as_read(voice, "Of the well-known.", ["of", "the", "well", "known"]) == (
        "Of|the|well|known."
    )


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("...", "no_words"),
        ("500 cats", "not_plain"),
        ("A [beep] sound.", "not_plain"),
        ("Come to the lunchroom.", "split_word"),
        ("And so...on.", "merged_words"),
        ("A zebra.", "unknown_phoneme"),
    ],
)
def test_refused(ann, text, cause):
    with pytest.raises(Refused) as caught:
        ann.read(text)
    assert caught.value.cause == cause
    assert text in str(caught.value)


@pytest.mark.parametrize("text", ["Come to the lunchroom.", "And so...on."])
def test_text_is_read_without_times_where_they_are_not_asked_for(ann, text):
    ann.only_with_times = False
    reading = ann.read(text)
    assert reading == Reading(text, has_times=False)
    assert ann.speak(reading).words is None
    assert ann.read("A cat.").has_times


def test_version_is_that_of_the_model(ann, tmp_path):
    assert ann.version.startswith("piper 1.0 ann ")
    (tmp_path / "ann.onnx").write_text("new")
    assert Piper(tmp_path).version != ann.version


def test_second_sentence_follows_the_first(ann):
    assert (ann.name, ann.sample_rate) == ("ann", RATE)
    samples, words = ann.speak(ann.read("A cat. Go on, do."))
    assert len(samples) == 80 + 120
    assert times(words) == [(10, 20), (20, 60), (90, 110), (110, 140), (160, 180)]


def test_durations_must_fit_the_audio(voice, monkeypatch):
    chunk = next(voice.synthesize("a", None, include_alignments=True))
    chunk.audio_int16_array = chunk.audio_int16_array[:-1]
    monkeypatch.setattr(voice, "synthesize", lambda *args, **options: [chunk])
    with pytest.raises(ValueError, match="do not add up"):
        speak(voice, "a")


def test_folder_without_a_voice_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path}: 0 .onnx files"):
        Piper(tmp_path)


def test_voice_without_durations(tmp_path):
    pytest.importorskip("piper", reason="run 'make -C tools voices'")
    helper = pytest.importorskip("onnx").helper
    tensors = [helper.make_tensor_value_info(name, 1, [1]) for name in ("input", "output")]
    node = helper.make_node("Identity", ["input"], ["output"])
    graph = helper.make_graph([node], "plain", tensors[:1], tensors[1:])
    opsets = [helper.make_opsetid("", 15)]
    model = helper.make_model(graph, ir_version=8, opset_imports=opsets)
    path = tmp_path / "plain.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=f"patch_voice_with_alignment {path}"):
        Piper(tmp_path)
