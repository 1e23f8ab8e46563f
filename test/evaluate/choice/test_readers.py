"""Benchmarks in the layouts in which they are distributed, whole and damaged."""

import bz2
import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.evaluate.choice.questions import make_items
from espnet_ssr.evaluate.choice.readers import READERS, Skipped
from espnet_ssr.evaluate.choice.readers.files import read_csv
from espnet_ssr.evaluate.choice.task import TASKS

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "text"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no real texts (shared/data/text)")


def read(reader, path):
    """Records, and causes with the lines (or files) that were left out for them."""
    skipped = Skipped()
    records = list(READERS[reader](path, skipped))
    places = [(e.cause, e.where.removeprefix(f"{path}/")) for e in skipped.entries]
    return records, places


def write_csv(path, rows, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as f:
        csv.writer(f, **options).writerows(rows)
    return path


def append(path, content):
    with open(path, "ab") as f:
        f.write(content)


# Files


@given(
    st.lists(
        st.lists(st.text("ab,\"'\n ;é", max_size=6), min_size=2, max_size=3),
        max_size=4,
    )
)
def test_csv_with_quotes_and_line_breaks_is_read_as_written(tmp_path_factory, rows):
    path = write_csv(tmp_path_factory.mktemp("csv") / "x.csv", rows)
    skipped = Skipped()
    lines = path.read_bytes().decode().splitlines(keepends=True)
    found = [cells for _, cells in read_csv(lines, path, skipped)]
    assert found == [row for row in rows if any(cell.strip() for cell in row)]
    assert skipped.entries == []


@given(st.integers(0, 4))
def test_an_open_quote_costs_one_line(line):
    lines = [f"{n},good,row\n" for n in range(5)]
    lines[line] = 'bad,"never closed\n'
    skipped = Skipped()
    rows = list(read_csv(lines, Path("x.csv"), skipped))
    kept = [n for n in range(5) if n != line]
    assert rows == [(f"x.csv:{n + 1}", [str(n), "good", "row"]) for n in kept]
    assert [(e.where, e.cause) for e in skipped.entries] == [(f"x.csv:{line + 1}", "not csv")]


def test_lines_are_counted_over_line_breaks_in_cells():
    lines = ['a,"1\n', '2"\n', "\n", "b,3\n"]
    rows = list(read_csv(lines, Path("x"), Skipped()))
    assert rows == [("x:1", ["a", "1\n2"]), ("x:4", ["b", "3"])]


# BLiMP


def blimp_row(**changes):
    row = {"sentence_good": "Who sleeps?", "sentence_bad": "Who sleep?", "field": "syntax"}
    row |= {"UID": "islands", "pairID": "0", "simple_LM_method": True}
    return json.dumps({**row, **changes}) + "\n"


def test_blimp(tmp_path):
    file = tmp_path / "islands.jsonl"
    file.write_text(blimp_row() + blimp_row(pairID="1", sentence_good=" It is. "))
    (first, second), skipped = read("blimp", tmp_path)
    assert (first.record_id, first.where) == ("islands-0", f"{file}:1")
    assert first.fields == {"paradigm": "islands", "good": "Who sleeps?", "bad": "Who sleep?"}
    assert (second.record_id, second.fields["good"]) == ("islands-1", "It is.")
    assert skipped == []


def test_damaged_blimp(tmp_path):
    file = tmp_path / "islands.jsonl"
    bad = [b'{"sentence_good": \n', b"[1]\n", blimp_row(sentence_good="\xff").encode("latin-1")]
    file.write_bytes(b"".join(bad).replace(b"\\u00ff", b"\xff"))
    append(file, json.dumps({"UID": "x"}).encode() + b"\n\n" + blimp_row().encode())
    append(file, blimp_row(sentence_bad="\ud800").encode())
    records, skipped = read("blimp", tmp_path)
    assert [record.where for record in records] == [f"{file}:6"]
    assert skipped == [
        ("not JSON", "islands.jsonl:1"),
        ("no UID", "islands.jsonl:2"),
        ("not UTF-8", "islands.jsonl:3"),
        ("no pairID", "islands.jsonl:4"),
        ("not UTF-8", "islands.jsonl:7"),
    ]


def test_a_folder_without_the_benchmark_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no \*\.jsonl in it.*eval_data\.sh"):
        read("blimp", tmp_path)
    with pytest.raises(ValueError, match="no such file or folder"):
        read("mmlu", tmp_path / "nowhere")


# HellaSwag

ENDINGS = ["sits.", "runs.", "2 + 2.", "flies."]


@pytest.mark.parametrize("packed", [False, True])
def test_hellaswag_text(tmp_path, packed):
    content = "\n".join(["Roof: A man. he", "3", *ENDINGS, "Pole: A lady", "0", *ENDINGS, ""])
    name = "hellaswag_val_full.txt" + ".bz2" * packed
    (tmp_path / name).write_bytes(bz2.compress(content.encode()) if packed else content.encode())
    (first, second), skipped = read("hellaswag", tmp_path)
    assert first.fields == {
        "context": "Roof: A man. he",
        **{f"ending{n}": ending for n, ending in enumerate(ENDINGS)},
        "answer": "3",
    }
    assert (second.record_id, second.where) == ("7", f"{tmp_path / name}:7")
    assert skipped == []


def test_damaged_hellaswag_text(tmp_path):
    lines = ["three", "0", *ENDINGS[:3], "five", "1", *ENDINGS, "one more", "bytes", "2", *ENDINGS]
    content = "\n".join([*lines, "good", "3", *ENDINGS]).encode().replace(b"bytes", b"\xff\xfe")
    (tmp_path / "hellaswag_val.txt").write_bytes(content)
    (record,), skipped = read("hellaswag", tmp_path)
    assert record.fields["context"] == "good"
    name = "hellaswag_val.txt"
    assert skipped == [
        ("3 choices instead of 4", f"{name}:1"),
        ("5 choices instead of 4", f"{name}:6"),
        ("not UTF-8", f"{name}:13"),
    ]


def hellaswag_row(**changes):
    row = {"ind": 24, "activity_label": "Roof", "ctx_a": "A man sits.", "ctx_b": "he", "label": 3}
    row |= {"endings": ENDINGS, "split": "val", "source_id": "activitynet~v_1"}
    return json.dumps({**row, **changes}) + "\n"


def test_official_hellaswag_has_the_texts_of_the_harness(tmp_path):
    heading = "How to. [header] Be [title] brief [substeps]."
    rows = [hellaswag_row(), hellaswag_row(ind=25, ctx_a=heading, ctx_b="", label="0")]
    rows += [hellaswag_row(endings=ENDINGS[:3]), hellaswag_row(endings="none")]
    (tmp_path / "hellaswag_val.jsonl").write_text("".join(rows))
    (first, second), skipped = read("hellaswag", tmp_path)
    assert (first.record_id, first.fields["answer"]) == ("24", "3")
    assert first.fields["context"] == "Roof: A man sits. He"
    assert second.fields["context"] == "Roof: How to. Be. brief ."
    assert skipped == [
        ("3 choices instead of 4", "hellaswag_val.jsonl:3"),
        ("0 choices instead of 4", "hellaswag_val.jsonl:4"),
    ]


def test_several_hellaswag_files_are_not_guessed_at(tmp_path):
    for name in ("hellaswag_val.jsonl", "hellaswag_val.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match="name one of them"):
        read("hellaswag", tmp_path)


# MMLU


def test_official_mmlu(tmp_path):
    rows = [['He said "why",\nthen?', "a, b", " c", "d", "e", "C"], ["Q", "1", "2", "3", "4", "A"]]
    write_csv(tmp_path / "high_school_physics_test.csv", rows)
    (first, second), skipped = read("mmlu", tmp_path)
    assert first.fields == {
        **{"subject": "high school physics", "question": 'He said "why",\nthen?', "answer": "2"},
        **{"a": "a, b", "b": "c", "c": "d", "d": "e"},
    }
    assert [r.record_id for r in (first, second)] == [
        "high_school_physics-1",
        "high_school_physics-3",
    ]
    assert skipped == []


def test_damaged_mmlu(tmp_path):
    rows = [["three", "1", "2", "3", "A"], ["good", "1", "2", "3", "4", "D"], ["alone"]]
    path = write_csv(tmp_path / "law_test.csv", [*rows, ["letter", "1", "2", "3", "4", "E"]])
    append(path, b"caf\xe9,1,2,3,4,A\r\n" + b'open,"1,2,3,4,A\r\nlast,1,2,,4,B\r\n')
    skipped = Skipped()
    items = make_items(TASKS["mmlu"], "T", path, skipped=skipped)
    assert [item.item_id for item in items] == ["law-2"]
    assert {entry.where: entry.cause for entry in skipped.entries} == {
        f"{path}:1": "3 choices instead of 4",
        f"{path}:3": "0 choices instead of 4",
        f"{path}:4": "answer 'E' is none of 0, 1, 2, 3",
        f"{path}:5": "not UTF-8",
        f"{path}:6": "not csv",
        f"{path}:7": "empty c",
    }
    assert f"{path}:5: not UTF-8" in skipped.lines()
    assert f"1 left out, the first being {path}:7: empty c" in skipped.describe()


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_mmlu_redux(tmp_path, delimiter):
    header = ["question", "choices", "answer", "error_type", "source", "correct_answer", ""]
    four = repr(["it's", '"b"', "c", "d"])
    rows = [
        ["one", four, "1", "OK ", "", "", ""],
        ["two", json.dumps(["a", "b", "c", "d"]), "3", "ok", "", "", ""],
        ["wrong", four, "1", "Wrong_Groundtruth", "", "2", ""],
        ["three", "['a', 'b', 'c']", "1", "ok", "", "", ""],
        ["none", "a, b, c", "1", "ok", "", "", ""],
        ["short", four, "1", "ok"],
    ]
    path = tmp_path / "mmlu_virology.csv"
    write_csv(path, [header, *rows], delimiter=delimiter, lineterminator="\r\n")
    records, skipped = read("mmlu", tmp_path)
    assert [record.fields["a"] for record in records] == ["it's", "a"]
    assert [record.record_id for record in records] == ["virology-2", "virology-3"]
    assert skipped == [
        ("annotated: wrong groundtruth", "mmlu_virology.csv:4"),
        ("3 choices instead of 4", "mmlu_virology.csv:5"),
        ("choices are no list", "mmlu_virology.csv:6"),
        ("4 columns instead of 7", "mmlu_virology.csv:7"),
    ]


# StoryCloze

STORY = ["Rick grew up.", "He was sad.", "He got shot.", "He turned."]
HEADER = ["InputStoryid", *(f"InputSentence{n}" for n in range(1, 5))]
HEADER += ["RandomFifthSentenceQuiz1", "RandomFifthSentenceQuiz2", "AnswerRightEnding"]


def test_storycloze(tmp_path):
    rows = [
        ["id-1", *STORY, "He is happy.", "He joined.", "1"],
        ["id-2", *STORY, "He joined.", 'He "is", well.', "2"],
        ["id-3", *STORY, "x", "y", ""],
        ["id-4", *STORY[:3], "", "x", "y", "1"],
    ]
    path = write_csv(tmp_path / "val.csv", [HEADER, *rows])
    records, skipped = read("storycloze", path)
    assert records[0].fields == {
        "context": "Rick grew up. He was sad. He got shot. He turned.",
        "right": "He is happy.",
        "wrong": "He joined.",
    }
    assert records[1].fields["right"] == 'He "is", well.'
    assert [cause for cause, _ in skipped] == [
        "AnswerRightEnding is neither 1 nor 2",
        "empty sentence",
    ]


def test_storycloze_without_answers_is_refused(tmp_path):
    path = write_csv(tmp_path / "test.csv", [HEADER[:-1], ["id-1", *STORY, "x", "y"]])
    with pytest.raises(ValueError, match="test.csv:1: no column AnswerRightEnding"):
        read("storycloze", path)


def test_topic_storycloze_takes_endings_of_other_stories(tmp_path):
    rows = [[f"id-{n}", *STORY, f"right {n}", "wrong", "1"] for n in range(5)]
    path = write_csv(tmp_path / "val.csv", [HEADER, *rows])
    records, _ = read("topic_storycloze", path)
    assert [r.fields["right"] for r in records] == [f"right {n}" for n in range(5)]
    wrong = [r.fields["wrong"] for r in records]
    assert sorted(wrong) == [f"right {n}" for n in range(5)]
    assert all(r.fields["right"] != r.fields["wrong"] for r in records)


def write_story(folder, name, left_out=""):
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("mutual", "correct", "incorrect"):
        for kind in ("wav", "txt"):
            if f"{part}.{kind}" != left_out:
                (folder / f"{name}_{part}.{kind}").write_text(f"{part} {name}\n")


@pytest.mark.parametrize("reader", ["storycloze", "topic_storycloze"])
def test_spoken_storycloze(tmp_path, reader):
    write_story(tmp_path / "voice", "7")
    write_story(tmp_path / "voice", "8", left_out="correct.wav")
    write_story(tmp_path / "voice", "9", left_out="mutual.txt")
    write_story(tmp_path, "1")
    (tmp_path / "1_mutual.txt").write_bytes(b"\xff")
    (record,), skipped = read(reader, tmp_path)
    assert record.record_id == "voice/7"
    assert record.fields == {"context": "mutual 7", "right": "correct 7", "wrong": "incorrect 7"}
    assert record.audio["wrong"] == str(tmp_path / "voice" / "7_incorrect.wav")
    assert skipped == [
        ("not UTF-8", "1_mutual.txt"),
        ("audio is missing", "voice/8_correct.wav"),
        ("text is missing", "voice/9_mutual.txt"),
    ]


def test_spoken_storycloze_needs_texts(tmp_path):
    (tmp_path / "0.wav").write_text("")
    with pytest.raises(ValueError, match="without the texts"):
        read("storycloze", tmp_path)


# ZeroSpeech

LEXICAL = ["id", "filename", "voice", "frequency", "word", "phones", "length", "correct"]
SYNTACTIC = ["id", "filename", "voice", "type", "subtype", "transcription", "correct"]


def write_gold(folder, header, rows):
    for row in rows:
        (folder / f"{row[1]}.wav").write_text("")
    return write_csv(folder / "gold.csv", [header, *rows])


def test_swuggy(tmp_path):
    rows = [
        ["1", "aa", "A", "12", "brick", "b r i k", "4", "1"],
        ["1", "ab", "B", "12", "brick", "b r i k", "4", "1"],
        ["1", "ac", "B", "", "blick", "b l i k", "4", "0"],
        ["1", "ad", "A", "", "blick", "b l i k", "4", "0"],
        ["2", "ae", "A", "0", "squall", "s", "5", "1"],
        ["2", "af", "A", "", "squill", "s", "5", "0"],
    ]
    write_gold(tmp_path, LEXICAL, rows)
    records, skipped = read("swuggy", tmp_path)
    assert [r.record_id for r in records] == ["1-A", "1-B", "2-A"]
    assert records[0].fields == {"good": "brick", "bad": "blick", "frequency": "in vocabulary"}
    assert records[0].audio == {"good": f"{tmp_path}/aa.wav", "bad": f"{tmp_path}/ad.wav"}
    assert records[2].fields["frequency"] == "oov"
    assert skipped == []


def test_damaged_sblimp(tmp_path):
    def row(number, name, side, text="It is."):
        return [number, name, "A", "agreement", "anaphor", text, side]

    rows = [row("1", "a", "1"), row("1", "b", "0", "It are."), row("2", "c", "1")]
    rows += [row("3", "d", "1"), row("3", "e", "0"), row("1", "f", "1"), row("4", "g", "2")]
    write_gold(tmp_path, SYNTACTIC, rows)
    (tmp_path / "e.wav").unlink()
    (record,), skipped = read("sblimp", tmp_path)
    assert record.record_id == "agreement-anaphor-1-A"
    assert record.fields == {"good": "It is.", "bad": "It are.", "paradigm": "anaphor"}
    assert sorted(skipped) == [
        ("a second good one of its pair", "gold.csv:7"),
        ("audio is missing", "gold.csv:6"),
        ("correct is neither 0 nor 1", "gold.csv:8"),
        ("the other one of its pair is missing", "gold.csv:4"),
    ]


def test_a_folder_without_gold_is_named(tmp_path):
    with pytest.raises(ValueError, match="no gold.csv in it; it should be lexical/dev"):
        read("swuggy", tmp_path)


# The real ones


def test_what_was_left_out_has_a_line_each():
    skipped = Skipped()
    skipped.add("S->T law-1", "formula", "no one way to read '>': 1\n2 > 1")
    assert skipped.lines() == ["S->T law-1: formula no one way to read '>': 1 2 > 1"]


@needs_shared
@pytest.mark.parametrize(
    ("task", "folder", "limit", "groups", "left_out"),
    [
        ("blimp", "blimp/data", 2010, 67, {}),
        ("hellaswag", "hellaswag", 500, 1, {}),
        ("mmlu", "mmlu_redux", 570, 57, {"not UTF-8": 1, "annotated: no correct answer": 35}),
    ],
)
def test_real_texts(task, folder, limit, groups, left_out):
    skipped = Skipped()
    items = make_items(TASKS[task], "T", SHARED / folder, limit=limit, skipped=skipped)
    assert set(Counter(item.group for item in items).values()) == {limit // groups}
    assert len({item.item_id for item in items}) == limit
    assert left_out.items() <= skipped.counts.items()
