"""Choices by hand, ties, files."""

import json

import pytest
import torch

from espnet_ssr.evaluate.choice.answer import (
    Answer,
    Candidate,
    count_characters,
    make_answer,
    read_answers,
    write_answers,
)
from espnet_ssr.evaluate.choice.cost import Cost
from espnet_ssr.evaluate.choice.item import Item, Part
from espnet_ssr.speech_lm.score import Score


def test_normalisations_choose_differently():
    # Sums: 4, 5, 6; by token 4, 2.5, 3; by character 1, 1, 0.5.
    candidates = (Candidate(4.0, 1, 4), Candidate(5.0, 2, 5), Candidate(6.0, 2, 12))
    for normalisation, best in (("none", 0), ("token", 1), ("character", 2)):
        answer = Answer("a", "", best, candidates)
        assert answer.chosen(normalisation) == [best]
        assert answer.credit(normalisation) == 1.0
        assert Answer("a", "", (best + 1) % 3, candidates).credit(normalisation) == 0.0


def test_equally_likely_ones_share_the_credit():
    candidates = (Candidate(4.0, 2, 4), Candidate(4.00005, 2, 4), Candidate(4.01, 2, 4))
    for answer, credit in ((0, 0.5), (1, 0.5), (2, 0.0)):
        assert Answer("a", "", answer, candidates).credit("none") == credit
        assert Answer("a", "", answer, candidates).credit("token") == credit


def test_scores_and_characters():
    candidates = ((Part(" no"),), (Part(" yes"), Part(", sir", True)))
    item = Item("a", "g", (), candidates, 1)
    scores = [
        Score(torch.tensor([1]), torch.tensor([-2.0])),
        Score(torch.tensor([1, 2]), torch.tensor([-0.5, -1.0])),
    ]
    assert make_answer(item, scores) == Answer(
        "a", "g", 1, (Candidate(2, 1, 2), Candidate(1.5, 2, 8))
    )
    assert count_characters(()) == 1


def test_files(tmp_path):
    candidates = (Candidate(1.5, 2, 3), Candidate(1.5, 2, 3))
    answers = [Answer("é 1", "g", 0, candidates), Answer("2", "g", 1, candidates, Cost(0.5, 2.0))]
    write_answers(tmp_path / "a.jsonl", answers)
    assert read_answers(tmp_path / "a.jsonl") == answers
    row, with_cost = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert with_cost["cost"] == {"cpu_seconds": 0.5, "audio_seconds": 2.0}
    assert row["candidates"][0] == {"nats": 1.5, "tokens": 2, "characters": 3}
    assert row["chosen"] == {"none": [0, 1], "token": [0, 1], "character": [0, 1]}
    del row["cost"]  # of before it was measured
    (tmp_path / "old.jsonl").write_text(json.dumps(row))
    assert read_answers(tmp_path / "old.jsonl") == answers[:1]
    with open(tmp_path / "a.jsonl", "a") as file:
        file.write('{"item_id": "b"}\n')
    with pytest.raises(ValueError, match="a.jsonl:3: not an answer .*'candidates'"):
        read_answers(tmp_path / "a.jsonl")
