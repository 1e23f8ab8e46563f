"""Items with their speech, data directories of texts, jobs; voices are stand-ins."""

import soundfile
from standin_voice import StandInVoice

from espnet_ssr.align.alignment import read_ctm
from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed
from espnet_ssr.evaluate.choice.item import Item, Part
from espnet_ssr.tts.cache import SpeechCache, read_record
from espnet_ssr.tts.items import (
    choose_voices,
    job_requests,
    speak_items,
    speak_texts,
    write_spoken,
)
from espnet_ssr.tts.voice import Refused


def make_cache(folder, names=("ann", "bob", "eve")):
    return SpeechCache(folder / "cache", [StandInVoice(name) for name in names])


def make_item(item_id, context, *candidates):
    spoken = [(Part(f" {text}", spoken=True),) for text in candidates]
    return Item(item_id, "group", (Part("Question:"), Part(context, True)), tuple(spoken), 0)


def test_spoken_parts_get_audio_by_one_voice_an_item(tmp_path):
    items = [make_item(f"i{n}", f"Say it {n} times.", "Yes.", "No.") for n in range(20)]
    filled, dropped = speak_items(items, make_cache(tmp_path))
    assert dropped == {} and [item.item_id for item in filled] == [i.item_id for i in items]
    voices = set()
    for before, item in zip(items, filled, strict=True):
        assert item.context[0] == before.context[0]
        parts = [item.context[1], *(part for parts in item.candidates for part in parts)]
        clips = [read_record(part.audio) for part in parts]
        assert [clip.text for clip in clips][1:] == ["yes", "no"]
        assert len({clip.voice for clip in clips}) == 1
        voices.add(clips[0].voice)
    assert voices == {"ann", "bob", "eve"}


class Squeamish(StandInVoice):
    """Does not say no."""

    def read(self, text):
        if "no" in text.lower().split("."):
            raise Refused("unknown_phoneme", f"no: {text}")
        return super().read(text)


def test_another_voice_says_the_whole_item_if_one_cannot(tmp_path):
    cache = SpeechCache(tmp_path, [Squeamish("ann"), StandInVoice("bob")])
    items = [make_item(f"i{n}", "Go.", "Yes.", "No.") for n in range(8)]
    assert {cache.voices_of(item.item_id)[0].name for item in items} == {"ann", "bob"}
    filled, dropped = speak_items(items, cache)
    assert dropped == {} and [item.item_id for item in filled] == [i.item_id for i in items]
    parts = [part for item in filled for part in (item.context[1], *sum(item.candidates, ()))]
    assert {read_record(part.audio).voice for part in parts} == {"bob"}


def test_item_with_a_part_that_cannot_be_spoken_is_dropped(tmp_path):
    items = [make_item("a", "Go.", "x = 5", "No."), make_item("b", "Go.", "Yes.", "No.")]
    filled, dropped = speak_items(items, make_cache(tmp_path))
    assert [item.item_id for item in filled] == ["b"]
    assert list(dropped) == ["a"] and dropped["a"].startswith("formula ")


def test_item_without_speech_stays_as_it_is(tmp_path):
    item = Item("i", "group", (), ((Part("x = 5"),), (Part("x = 6"),)), 0)
    assert speak_items([item], make_cache(tmp_path)) == ([item], {})


def test_data_directory(tmp_path):
    cache = make_cache(tmp_path)
    texts = {f"t{n}": f"Number {n}." for n in range(1, 20)} | {"bad": "x = 5"}
    spoken = speak_texts(choose_voices(texts, cache), cache)
    assert spoken.describe().endswith("left out 1: 1 formula")
    write_spoken(spoken, tmp_path / "out")
    assert check_data_dir(tmp_path / "out", fs=16000) == []
    wav_scp = read_keyed(tmp_path / "out" / "wav.scp")
    assert wav_scp.keys() == texts.keys() - {"bad"}
    assert soundfile.info(wav_scp["t1"]).samplerate == 16000
    utt2spk = read_keyed(tmp_path / "out" / "utt2spk")
    times = read_ctm(tmp_path / "out" / "word.ctm")
    assert times.keys() == {key for key, name in utt2spk.items() if name == "ann"}
    assert read_keyed(tmp_path / "out" / "dropped")["bad"].startswith("formula ")


def test_all_voices_say_all_texts(tmp_path):
    requests = choose_voices({"a": "Go.", "b": "Stop."}, make_cache(tmp_path), all_voices=True)
    assert sorted(requests) == [f"{v}-{i}" for v in ("ann", "bob", "eve") for i in "ab"]


def test_jobs_share_the_work(tmp_path):
    texts = {f"t{n}": f"Go {n % 40}." for n in range(100)}
    cache = make_cache(tmp_path)
    requests = choose_voices(texts, cache)
    parts = [job_requests(requests, job, 3) for job in (1, 2, 3)]
    assert sorted(key for part in parts for key in part) == sorted(texts)
    for part in parts:
        assert {voice.name for _, voice in part.values()} == {"ann", "bob", "eve"}
        speak_texts(part, make_cache(tmp_path))
    speak_texts(requests, cache)
    assert cache.counts == {"found": 100}
