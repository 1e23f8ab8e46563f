"""A test set through the LLM, from files to files: in any number of jobs, killed, in part done."""

import json
import os
import signal
import sys
from functools import partial

import kaldiio
import numpy as np
import pytest
import torch
from tiny_causal_lm import make_tokenizer

from espnet_ssr.bin import ssr_lm_inference
from espnet_ssr.datadir import read_keyed, write_keyed
from espnet_ssr.evaluate import transcript_jobs
from espnet_ssr.evaluate.items import Item, Score, read_items, write_items
from espnet_ssr.evaluate.transcript import another
from espnet_ssr.evaluate.transcript_jobs import evaluate_job, summarize
from espnet_ssr.task.distill import SSRDistillTask
from espnet_ssr.task.lm import SSRLMTask
from espnet_ssr.text import plain

SAID = ["so it is", "no", "that", "is all", "we", "say no"]
TEXTS = {f"u{n}": f" {text}" for n, text in enumerate(SAID)}
UNHEARD = "u1"
FILES = ("items.jsonl", "text", "result.json")


@pytest.fixture
def data(request, tmp_path, make_experiment):
    """A test set of which one utterance has no segments; options of the command."""
    task = getattr(request, "param", SSRDistillTask)
    rng = np.random.default_rng(0)
    feats = {u: rng.normal(size=(30, 8)).astype("float32") for u in TEXTS}
    kaldiio.save_ark(str(tmp_path / "feats.ark"), feats, scp=str(tmp_path / "feats.scp"))
    tokenizer = make_tokenizer(start=True)
    ids = {u: tokenizer(t, add_special_tokens=False).input_ids for u, t in TEXTS.items()}
    write_keyed(tmp_path / "token_id", {u: " ".join(map(str, i)) for u, i in ids.items()})
    ends = {u: " ".join(f"{0.02 * (n + 1):.2f}" for n in range(len(i))) for u, i in ids.items()}
    del ends[UNHEARD]
    write_keyed(tmp_path / "token_end", ends)
    return {
        "model_file": make_experiment("--input_size", "8", task=task),
        "reference": tmp_path / "token_id",
        "feats_scp": tmp_path / "feats.scp",
        "output_dir": tmp_path / "out",
        "seg_dir": tmp_path,
        "shard_size": 2,
    }


@pytest.fixture
def run(monkeypatch):
    """A function that calls the command with options."""

    def call(**options):
        command = [part for k, v in options.items() for part in (f"--{k}", str(v))]
        monkeypatch.setattr(sys, "argv", ["ssr_lm_inference", *command])
        ssr_lm_inference.main()

    return call


def read(folder):
    return {name: (folder / name).read_text() for name in FILES}


def shards(folder):
    return {f.name: f.stat().st_mtime_ns for f in (folder / "shards").glob("shard.*")}


@pytest.mark.parametrize("data", [SSRDistillTask, SSRLMTask], indirect=True)
def test_any_number_of_jobs(data, run, tmp_path, capsys):
    run(**data)
    out = data["output_dir"]
    assert "llm, other utterance: nats_per_token" in capsys.readouterr().out
    result = json.loads((out / "result.json").read_text())
    assert (result["utterances"], result["missing"]) == (5, 1)
    assert result["continuation"]["connector"]["misalignment"] > 0
    assert result["parameters"] > 0
    items = read_items(out / "items.jsonl")
    heard = [u for u in TEXTS if u != UNHEARD]
    assert [item.utt_id for item in items] == list(read_keyed(out / "text")) == heard
    # Another utterance of the whole set, not of the shard.
    assert {item.utt_id: item.other for item in items} == another(heard, seed=0)
    for num_jobs in (2, 3, 4):
        options = {**data, "output_dir": tmp_path / str(num_jobs)}
        for job in range(1, num_jobs + 1):
            run(**options, job=job, num_jobs=num_jobs)
        run(**options, merge_jobs=num_jobs)
        assert read(tmp_path / str(num_jobs)) == read(out)


def test_killed(data, run, tmp_path, monkeypatch):
    run(**{**data, "output_dir": tmp_path / "whole"})
    calls = []

    def evaluate(utt_ids, *args, kill_at=None, **options):
        calls.append(list(utt_ids))
        if len(calls) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        evaluate_utterances(utt_ids, *args, **options)

    evaluate_utterances = transcript_jobs.evaluate_utterances
    monkeypatch.setattr(transcript_jobs, "evaluate_utterances", partial(evaluate, kill_at=2))
    pid = os.fork()
    if pid == 0:
        run(**data)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    before = shards(data["output_dir"])
    assert len(before) == 1
    monkeypatch.setattr(transcript_jobs, "evaluate_utterances", evaluate)
    run(**data)
    assert calls == [["u3", "u4"], ["u5"]]
    assert before.items() <= shards(data["output_dir"]).items()
    assert read(data["output_dir"]) == read(tmp_path / "whole")


def test_what_changed_is_done_again(data, run):
    run(**data)
    before = shards(data["output_dir"])
    # Of another utterance's, too: its vectors are a control.
    ends = read_keyed(data["seg_dir"] / "token_end")
    write_keyed(data["seg_dir"] / "token_end", {**ends, "u5": ends["u5"].replace("0.02", "0.01")})
    run(**data)
    after = shards(data["output_dir"])
    involved = sum(
        any("u5" in (item.utt_id, item.other) for item in read_items(folder / "items.jsonl"))
        for folder in (data["output_dir"] / "shards").glob("shard.*")
    )
    assert len(after.keys() - before.keys()) == involved < len(after)
    os.utime(data["model_file"], ns=(1, 1))
    run(**data)
    assert not after.keys() & shards(data["output_dir"]).keys()


def test_errors(data, run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(**data, num_jobs=2)
    assert "--num_jobs 2: give --job, too" in capsys.readouterr().err
    del data["seg_dir"]
    with pytest.raises(ValueError, match="MeanConnector needs segments: give --seg_dir"):
        run(**data)
    with pytest.raises(FileNotFoundError, match=r"job 1 of 2 did not finish"):
        run(**data, merge_jobs=2)


def test_nothing_to_score_is_an_error(tmp_path):
    loader = torch.utils.data.DataLoader([0], batch_sampler=[["x"]])
    with pytest.raises(ValueError, match="no utterance has a reference"):
        evaluate_job(None, loader, {"y": [1]}, [], tmp_path, {})


def test_items_are_read_as_they_were_written(tmp_path):
    score = Score(1.5, 3, 2)
    written = {"llm": {"connector": "a\u2028é", "text": ""}}
    item = Item("u", 2.0, 3, 3, None, {"llm": {"text": score}}, 'say "no"', written)
    write_items(tmp_path / "items.jsonl", [item, item])
    assert read_items(tmp_path / "items.jsonl") == [item, item]


def test_summary():
    first = Item(
        utt_id="a",
        seconds=2.0,
        vectors=4,
        tokens=4,
        other="b",
        scores={
            "llm": {"connector": Score(3.0, 4, 1), "nothing": Score(9.0, 4, 0)},
            "continuation": {"connector": Score(2.0, 3, 3, 1.5)},
        },
        reference="One, two",
        written={"llm": {"connector": "one too"}},
    )
    second = Item(
        utt_id="b",
        seconds=3.0,
        vectors=6,
        tokens=1,
        other="a",
        scores={
            "llm": {"connector": Score(2.0, 1, 1), "nothing": Score(1.0, 1, 1)},
            "continuation": {"connector": Score(0.0, 0, 0, 0.0)},
        },
        reference="three four",
        written={"llm": {"connector": "Three four!"}},
    )
    result = summarize([first, second])
    connector = result["llm"].pop("connector")
    errors = {"wer": 1 / 4, "cer": 1 / len(plain("one two") + plain("three four"))}
    assert connector == pytest.approx(
        {"nats_per_token": 1.0, "perplexity": np.e, "token_accuracy": 2 / 5, **errors}
    )
    assert result["llm"]["nothing"]["nats_per_token"] == 2.0
    continuation = result["continuation"]["connector"]
    assert (continuation["token_accuracy"], continuation["misalignment"]) == (1, 0.5)
    assert "misalignment" not in result["llm"]["nothing"]
    sizes = {"utterances": 2, "tokens": 5, "seconds": 5.0, "vectors_per_second": 2.0}
    assert {name: result[name] for name in sizes} == sizes
