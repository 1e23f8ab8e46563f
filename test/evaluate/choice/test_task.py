"""Definitions of tasks, and the questions that are made of them."""

import json
from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.evaluate.choice.draw import draw_evenly
from espnet_ssr.evaluate.choice.item import Part
from espnet_ssr.evaluate.choice.questions import make_items
from espnet_ssr.evaluate.choice.readers import Record, Skipped
from espnet_ssr.evaluate.choice.task import TASKS, load_tasks
from espnet_ssr.evaluate.choice.template import Template, join_parts

PAIRS = {
    "reader": "blimp",
    "candidates": [" {good}", " {bad}"],
    "answer": 0,
    "normalisation": "token",
    "modes": {"T": [], "S": ["good", "bad"]},
}


def load(tmp_path, **values):
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump({"mine": {**PAIRS, **values}}))
    return load_tasks(tmp_path / "tasks.yaml")["mine"]


def write_blimp(folder, sizes):
    folder.mkdir(exist_ok=True)
    for paradigm, size in sizes.items():
        rows = [
            {"UID": paradigm, "pairID": n, "sentence_good": f"Good {n}.", "sentence_bad": "Bad."}
            for n in range(size)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{paradigm}.jsonl").write_text(lines)
    return folder


def write_mmlu(folder, subject, split, questions):
    folder = folder / split
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{question},1,2,3,4,{answer}\n" for question, answer in questions)
    (folder / f"{subject}_{split}.csv").write_text(lines)
    return folder


# Definitions


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": "x"}, "key: 'prompt' is none of name, reader, candidates"),
        ({"reader": "bimp"}, "reader: 'bimp' is none of blimp, hellaswag"),
        ({"normalisation": "byte"}, "normalisation: 'byte' is none of none, token, character"),
        ({"modes": {"TS": []}}, "modes: 'TS' is none of T, S, S->T, T->S"),
        ({"modes": {"S": ["god"]}}, "modes: S: 'god' is none of good, bad"),
        ({"candidates": [" {good}"]}, "candidates: there should be two or more"),
        ({"context": "{good!r}"}, "braces should have the name of a field"),
        ({"context": "{}"}, "braces should have the name of a field"),
        ({"context": "{good"}, "expected '}'"),
        ({"shots": {"seperator": "\n"}}, "shots: key: 'seperator' is none of separator"),
        ({"shots": {"same_group": True}}, "shots: separator is missing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, values, message):
    with pytest.raises(ValueError) as error:
        load(tmp_path, **values)
    assert str(error.value).startswith(f"{tmp_path}/tasks.yaml: mine: ")
    assert message in str(error.value)


@pytest.mark.parametrize("key", PAIRS)
def test_a_missing_key_is_named(tmp_path, key):
    values = {name: value for name, value in PAIRS.items() if name != key}
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump({"mine": values}))
    with pytest.raises(ValueError, match=f"tasks.yaml: mine: {key} is missing"):
        load_tasks(tmp_path / "tasks.yaml")


def test_chance():
    assert (TASKS["mmlu"].chance, TASKS["swuggy"].chance) == (0.25, 0.5)


def test_an_unknown_field_is_named(tmp_path):
    task = load(tmp_path, context="{story}")
    with pytest.raises(ValueError, match="reader blimp gives paradigm, good, bad, no story"):
        make_items(task, "T", write_blimp(tmp_path / "blimp", {"a": 1}))


# Templates

RECORD = Record("1", {"q": "Why", "a": "x"}, "f:1", {"q": "q.wav"})


@pytest.mark.parametrize(
    ("template", "spoken", "wanted"),
    [
        ("", "qa", []),
        ("Q: {q}?\n", "", [Part("Q: Why?\n")]),
        ("{q}{a}", "a", [Part("Why"), Part("x", True)]),
        ("Q: {q}?\n", "q", [Part("Q:"), Part(" Why", True, "q.wav"), Part("?\n")]),
        (" {q} {a}", "qa", [Part(" Why", True, "q.wav"), Part(" x", True)]),
        ("{{{q}}} ", "q", [Part("{"), Part("Why", True, "q.wav"), Part("} ")]),
    ],
)
def test_templates(template, spoken, wanted):
    assert Template.parse(template).parts(RECORD, spoken) == tuple(wanted)


@given(st.lists(st.builds(Part, st.text(" ab\n", max_size=3), st.booleans()), max_size=6))
def test_joining_keeps_the_text_and_what_is_spoken(parts):
    joined = join_parts(parts)
    assert "".join(p.text for p in joined) == "".join(p.text for p in parts)
    assert all(part.text for part in joined)
    assert not any(not a.spoken and not b.spoken for a, b in zip(joined, joined[1:], strict=False))
    assert join_parts(joined) == joined
    spoken = [p.text.strip(" ") for p in parts if p.spoken and p.text.strip(" ")]
    assert [p.text.strip(" ") for p in joined if p.spoken and p.text.strip(" ")] == spoken


# Questions


def test_pairs(tmp_path):
    (item,) = make_items(TASKS["blimp"], "S", write_blimp(tmp_path / "blimp", {"npi": 1}))
    assert (item.item_id, item.group, item.context, item.answer) == ("npi-0", "npi", (), 0)
    assert item.candidates == ((Part(" Good 0.", True),), (Part(" Bad.", True),))


def test_modes_differ_in_nothing_but_speech(tmp_path):
    folder = write_mmlu(tmp_path, "law", "test", [("Who?", "B"), ("", "A"), ("What?", "D")])
    written, heard = (make_items(TASKS["mmlu"], mode, folder) for mode in ("T", "S->T"))
    assert [item.item_id for item in written] == ["law-1", "law-3"]
    for a, b in zip(written, heard, strict=True):
        assert (a.item_id, a.answer, a.candidates) == (b.item_id, b.answer, b.candidates)
        assert "".join(part.text for part in b.context) == a.context[0].text
    said = [part.text for part in heard[0].context if part.spoken]
    assert said == ["Who?", " 1", " 2", " 3", " 4"]
    assert heard[0].context[-1] == Part("\nAnswer:")
    assert [item.answer for item in written] == [1, 3]


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match="mmlu has no mode S; it has T, S->T"):
        make_items(TASKS["mmlu"], "S", tmp_path)


def test_the_same_id_twice_is_counted(tmp_path, caplog):
    folder = write_blimp(tmp_path / "blimp", {"a": 2})
    file = folder / "a.jsonl"
    file.write_text(file.read_text() + file.read_text().splitlines()[0])
    skipped = Skipped()
    assert len(make_items(TASKS["blimp"], "T", folder, skipped=skipped)) == 2
    assert skipped.counts == {"the same id again": 1}
    assert f"{file}:3: the same id again a-0 (see {file}:1)" in caplog.text


def test_nothing_left_is_an_error_that_says_why(tmp_path):
    folder = write_mmlu(tmp_path, "law", "test", [("", "A"), ("Who?", "E")])
    with pytest.raises(ValueError, match="no questions of mmlu; 1 left out.*:1: empty question"):
        make_items(TASKS["mmlu"], "T", folder)


# Limits


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(0, 14), st.integers(0, 3))
def test_draws_are_even_and_nested(groups, number, seed):
    drawn = draw_evenly(groups, number, seed)
    assert drawn == sorted(set(drawn)) and len(drawn) == min(number, len(groups))
    assert set(drawn) <= set(draw_evenly(groups, number + 1, seed))
    got, there = Counter(groups[n] for n in drawn), Counter(groups)
    for group in there:  # none has two more than one that has others left
        assert all(got[group] >= got[other] - 1 or got[group] == there[group] for other in there)


def test_a_limit_takes_the_same_questions_in_all_modes(tmp_path):
    folder = write_blimp(tmp_path / "blimp", {"a": 20, "b": 3})
    ids = [
        [item.item_id for item in make_items(TASKS["blimp"], mode, folder, limit=8)]
        for mode in ("T", "S")
    ]
    assert ids[0] == ids[1]
    assert Counter(name[0] for name in ids[0]) == {"a": 5, "b": 3}
    assert ids[0] != [i.item_id for i in make_items(TASKS["blimp"], "T", folder, limit=8, seed=1)]


# Solved questions


def questions(context, names):
    """Those of `names` that are in a context, in its order."""
    text = "".join(part.text for part in context)
    return sorted((name for name in names if name in text), key=text.index)


def test_solved_questions_of_the_development_set(tmp_path):
    write_mmlu(tmp_path, "law", "dev", [("Dev one?", "A"), ("Dev two?", "C")])
    write_mmlu(tmp_path, "art", "dev", [("Other?", "A")])
    folder = write_mmlu(tmp_path, "law", "test", [("Who?", "B")])
    (item,) = make_items(TASKS["mmlu"], "T", folder, shots=2)
    choices = "\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:"
    assert item.context == (
        Part(
            "The following are multiple choice questions (with answers) about law.\n\n"
            f"Dev one?{choices} A\n\nDev two?{choices} C\n\nWho?{choices}"
        ),
    )
    (heard,) = make_items(TASKS["mmlu"], "S->T", folder, shots=2)
    assert sum(part.spoken for part in heard.context) == 15
    (mixed,) = make_items(TASKS["mmlu"], "S->T", folder, shots=2, shots_mode="T")
    assert [p.text for p in mixed.context if p.spoken] == ["Who?", " 1", " 2", " 3", " 4"]
    (elsewhere,) = make_items(TASKS["mmlu"], "T", folder, shots=1, shots_path=folder / "../dev")
    assert "Dev" in elsewhere.context[0].text
    with pytest.raises(ValueError, match="law_test.csv:1: 3 solved questions .* only 2 others law"):
        make_items(TASKS["mmlu"], "T", folder, shots=3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_question_is_never_among_its_solved_ones(tmp_path, seed):
    names = [f"Number {n}?" for n in "abcdef"]
    folder = write_mmlu(tmp_path, "law", "test", [(n, "A") for n in [*names, names[0]]])
    items = make_items(TASKS["mmlu"], "T", folder, shots=3, seed=seed)
    again = make_items(TASKS["mmlu"], "T", folder, shots=3, seed=seed)
    assert items == again
    shots = []
    for item, own in zip(items, [*names, names[0]], strict=True):
        *before, last = questions(item.context, names)
        text = item.context[0].text
        assert last == own and text.count(own) == 1 and text.count("Answer:") == 4
        shots.append(tuple(before))
    assert len(set(shots)) <= 5  # those of most questions are the same


def test_tasks_without_solved_questions_say_so(tmp_path):
    with pytest.raises(ValueError, match="blimp takes no solved questions"):
        make_items(TASKS["blimp"], "T", write_blimp(tmp_path / "b", {"a": 2}), shots=1)
