"""Runs that are killed, items that cannot be answered, jobs."""

import json

import pytest
import torch

from espnet_ssr.evaluate.choice.answer import read_answers
from espnet_ssr.evaluate.choice.cost import Cost
from espnet_ssr.evaluate.choice.item import Item, Part
from espnet_ssr.evaluate.choice.run import answers_file, merge_task, run_task
from espnet_ssr.speech_lm.score import Score


class LongerIsWorse:
    """Counts what it is asked; refuses what says so; is killed at a text."""

    def __init__(self, kill=None):
        self.asked, self.kill = [], kill

    def score(self, pairs):
        texts = ["".join(part.text for part in parts) for _, parts in pairs]
        if "refuse" in " ".join(texts):
            raise ValueError("no\nway")
        if self.kill in texts:
            raise KeyboardInterrupt
        self.asked += texts
        return [Score(torch.zeros(1), torch.tensor([-1.0 * len(text)])) for text in texts]

    def cost(self, parts):
        spoken = [part for part in parts if part.spoken]
        return Cost(0.5, float(len(spoken))) if spoken else None


def item(item_id, right, wrong, audio=None, spoken=False):
    candidates = tuple((Part(f" {text}", spoken, audio),) for text in (right, wrong))
    return Item(item_id, "g", (), candidates, 0)


@pytest.fixture
def items(tmp_path):
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"x")
    words = {"1": ("a", "bb"), "2": ("cc", "d"), "3": ("e", "refuse"), "4": ("f", "gg")}
    text = [item(n, *pair) for n, pair in words.items()]
    speech = [item(n, *pair, str(sound), True) for n, pair in words.items()]
    speech[0] = item("1", *words["1"], str(tmp_path / "gone.wav"), True)
    speech[1] = item("2", *words["2"], None, True)
    return {"T": text, "S->T": speech}


ABOUT = {"system": "x", "normalisation": "token"}


def test_answers_and_what_has_none(items, tmp_path):
    out = tmp_path / "out"
    run_task(items, LongerIsWorse, out, {"scorer": "x"}, shard_size=3)
    result = merge_task(out, 1, list(items), ABOUT)
    assert json.loads((out / "result.json").read_text()) == result
    text, speech = result["modes"]["T"], result["modes"]["S->T"]
    assert (text["items"], text["skipped"]) == (3, {"refused": 1})
    assert text["accuracy"]["none"]["value"] == pytest.approx(2 / 3)
    assert (speech["items"], speech["skipped"]) == (1, {"no_audio": 2, "refused": 1})
    (answer,) = read_answers(out / answers_file("S->T"))
    assert (answer.item_id, answer.cost) == ("4", Cost(0.5, 2.0))
    assert {a.cost for a in read_answers(out / answers_file("T"))} == {None}
    lines = (out / "skipped").read_text().splitlines()
    assert f"S->T\t1\tno_audio\t{tmp_path / 'gone.wav'}" in lines
    assert "S->T\t2\tno_audio\tnot made yet" in lines
    assert "T\t3\trefused\tno way" in lines
    assert len(lines) == 4


def test_a_killed_run_goes_on_where_it_was(items, tmp_path):
    out, settings = tmp_path / "out", {"scorer": "x"}
    with pytest.raises(KeyboardInterrupt):
        run_task(items, lambda: LongerIsWorse(" f"), out, settings, shard_size=1)
    again = LongerIsWorse()
    run_task(items, lambda: again, out, settings, shard_size=1)
    assert again.asked == [" f", " gg"] * 2  # in both modes
    merge_task(out, 1, list(items), ABOUT)

    def never():
        raise AssertionError("nothing is to be done")

    run_task(items, never, out, settings, shard_size=1)
    other = LongerIsWorse()
    run_task(items, lambda: other, out, {"scorer": "y"}, shard_size=1)
    assert len(other.asked) > 4


def test_audio_that_was_made_again_is_heard_again(items, tmp_path):
    out, calls = tmp_path / "out", []

    def load():
        calls.append(LongerIsWorse())
        return calls[-1]

    run_task(items, load, out, {}, shard_size=1)
    (tmp_path / "a.wav").write_bytes(b"another")
    run_task(items, load, out, {}, shard_size=1)
    assert set(calls[1].asked) == {" f", " gg"}


def test_any_number_of_jobs_gives_the_same(items, tmp_path):
    results = []
    for jobs in (1, 3):
        out = tmp_path / str(jobs)
        for job in range(1, jobs + 1):
            run_task(items, LongerIsWorse, out, {}, job, jobs, shard_size=1)
        results.append(merge_task(out, jobs, list(items), ABOUT))
    assert results[0] == results[1]
    with pytest.raises(FileNotFoundError, match="job 4 of 4 did not finish"):
        merge_task(tmp_path / "3", 4, list(items), ABOUT)
