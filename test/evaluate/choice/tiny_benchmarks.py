"""Benchmarks in the layouts in which they are distributed, in a language of numbers.

A word is three digits, its topic their remainder by four. A context keeps to one topic, and that
ending is right which does, too; of four choices, the one whose index is the topic.
"""

import csv
import json
import random
from typing import NamedTuple

WORDS = [f"{number:03}" for number in range(1000)]
TOPICS = range(4)


def topic_of(word):
    return int(word) % 4


class Question(NamedTuple):
    topic: int
    context: list[str]  # four words
    endings: list[str]  # a word of each topic

    @property
    def right(self):
        return self.endings[self.topic]

    @property
    def wrong(self):
        return self.endings[self.topic - 1]


def make_questions(count, seed=0):
    """Questions of all topics in turn; of up to 100, no two have a word in common."""
    words = random.Random(seed).sample(WORDS, len(WORDS))
    of_topic = [[word for word in words if topic_of(word) == topic] for topic in TOPICS]
    found = []
    for n in range(count):
        topic = n % len(TOPICS)
        endings = [of_topic[t].pop() for t in TOPICS]
        found.append(Question(topic, [of_topic[topic].pop() for _ in range(4)], endings))
    return found


def write_table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def pairs(questions, space=" "):
    """A good and a bad sequence of each question: they differ in the last word."""
    for q in questions:
        yield tuple(space.join([*q.context, last]) for last in (q.right, q.wrong))


def write_gold(folder, header, rows):
    """``gold.csv`` of ZeroSpeech, and files without sound."""
    write_table(folder / "gold.csv", [header, *rows])
    for row in rows:
        (folder / f"{row[1]}.wav").touch()
    return folder


def write_swuggy(folder, questions):
    rows = []
    for n, texts in enumerate(pairs(questions, "")):
        frequencies = str(n % 3), ""
        for side, text, frequency in zip("10", texts, frequencies, strict=True):
            rows.append([n, f"{n}-{side}", "A", frequency, text, "p", 1, side])
    header = ["id", "filename", "voice", "frequency", "word", "phones", "length", "correct"]
    return write_gold(folder, header, rows)


def write_sblimp(folder, questions):
    rows = []
    for n, texts in enumerate(pairs(questions)):
        for side, text in zip("10", texts, strict=True):
            rows.append([n, f"{n}-{side}", "A", "agreement", "anaphor", text, side])
    header = ["id", "filename", "voice", "type", "subtype", "transcription", "correct"]
    return write_gold(folder, header, rows)


def write_blimp(folder, questions):
    rows = [
        {"UID": "islands", "pairID": str(n), "sentence_good": good, "sentence_bad": bad}
        for n, (good, bad) in enumerate(pairs(questions))
    ]
    write_lines(folder / "islands.jsonl", rows)
    return folder


def write_storycloze(folder, questions):
    sentences = [f"InputSentence{n}" for n in range(1, 5)]
    endings = [f"RandomFifthSentenceQuiz{n}" for n in (1, 2)]
    rows = [["InputStoryid", *sentences, *endings, "AnswerRightEnding"]]
    for n, q in enumerate(questions):
        chosen = [q.right, q.wrong] if n % 3 else [q.wrong, q.right]
        rows.append([f"story-{n}", *q.context, *chosen, 1 if n % 3 else 2])
    write_table(folder / "val.csv", rows)
    return folder / "val.csv"


def write_spoken_storycloze(folder, questions):
    folder.mkdir(parents=True)
    for n, q in enumerate(questions):
        texts = {"mutual": " ".join(q.context), "correct": q.right, "incorrect": q.wrong}
        for part, text in texts.items():
            (folder / f"{n:03}_{part}.txt").write_text(text)
            (folder / f"{n:03}_{part}.wav").touch()
    return folder


def write_hellaswag(folder, questions):
    rows = [
        {
            "ind": n,
            "activity_label": "Counting",
            "ctx_a": " ".join(q.context),
            "ctx_b": "",
            "endings": q.endings,
            "label": str(q.topic),
        }
        for n, q in enumerate(questions)
    ]
    write_lines(folder / "hellaswag_val.jsonl", rows)
    return folder


def write_mmlu(folder, questions):
    rows = [[" ".join(q.context), *q.endings, "ABCD"[q.topic]] for q in questions]
    write_table(folder / f"number_theory_{folder.name}.csv", rows)
    return folder


WRITERS = {
    "swuggy": write_swuggy,
    "sblimp": write_sblimp,
    "blimp": write_blimp,
    "storycloze": write_storycloze,
    "topic_storycloze": write_spoken_storycloze,
    "hellaswag": write_hellaswag,
    "mmlu": write_mmlu,
}
"""Task of ``tasks.yaml`` -> a function from a folder and questions to the benchmark's path."""
