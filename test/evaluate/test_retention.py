"""What an LLM keeps: likelihoods against transformers', accuracies by hand, files to files."""

import json
import logging
import sys

import numpy as np
import pytest
import torch
import yaml
from tiny_causal_lm import make_tokenizer
from torch.nn.functional import cross_entropy

from espnet_ssr.bin import ssr_retention
from espnet_ssr.evaluate import retention
from espnet_ssr.evaluate.retention import (
    Benchmark,
    Pair,
    Scores,
    cached_scores,
    compare_scores,
    read_benchmark,
    score_benchmark,
)
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.task.lm import SSRLMTask, complete_options

PAIRS = [
    Pair("islands", "syntax", "Who sleeps?", "Who do sleeps that?"),
    Pair("islands", "syntax", "a", "b"),
    Pair("npi", "syntax", "c", "d"),
    Pair("quantifiers", "semantics", "e", "f"),
]


def write_blimp(folder, pairs):
    """BLiMP's files, with the fields that it has beside those that are read."""
    folder.mkdir(exist_ok=True)
    for pair in pairs:
        row = {"sentence_good": pair.good, "sentence_bad": pair.bad, "field": pair.field}
        row |= {"UID": pair.paradigm, "pairID": "0", "simple_LM_method": True}
        with open(folder / f"{pair.paradigm}.jsonl", "a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")
    return folder


def scores(nats=(), tokens=(), good=(), bad=(), cut=0):
    return Scores(list(nats), list(tokens), list(good), list(bad), cut)


def expected_nats(llm, ids, first):
    logits = llm.model(input_ids=torch.tensor([[first, *ids]])).logits[0, :-1]
    return cross_entropy(logits, torch.tensor(ids), reduction="sum").item()


@torch.no_grad()
@pytest.mark.parametrize("start", [True, False])
def test_nats_are_those_of_transformers(causal_lm, start, monkeypatch):
    # Several batches of different lengths.
    monkeypatch.setattr(retention, "MAX_POSITIONS", 20)
    llm, tokenizer = load_language_model(causal_lm), make_tokenizer(start)
    documents = ["It is late.", "no", "A long one that is to be cut."]
    found = score_benchmark(llm, tokenizer, Benchmark(documents, PAIRS[:2], max_tokens=12))

    def expected(text, length=None):
        ids = tokenizer(text, add_special_tokens=False).input_ids[:length]
        return expected_nats(llm, ids, tokenizer.bos_token_id)

    assert found.nats == pytest.approx([expected(text, 12) for text in documents], rel=1e-5)
    assert found.good == pytest.approx([expected(pair.good) for pair in PAIRS[:2]], rel=1e-5)
    assert found.bad == pytest.approx([expected(pair.bad) for pair in PAIRS[:2]], rel=1e-5)
    assert (found.tokens, found.cut) == ([11, 2, 12], 1)


def test_figures():
    before = scores([6.0, 2.0], [3, 1], [1.0, 1.0, 1.0, 2.0], [2.0, 2.0, 2.0, 1.0])
    after = scores([8.0, 4.0], [3, 1], [1.0, 3.0, 1.0, 1.0], [2.0, 2.0, 2.0, 1.0], cut=1)
    result = compare_scores(before, after, Benchmark(["x", "y"], PAIRS))
    rows = result.pop("retention")
    assert rows["before"] == pytest.approx(
        {"nats_per_token": 2.0, "perplexity": np.exp(2), "blimp": 2 / 3}
    )
    # Equal likelihoods are no success.
    assert rows["after"] == pytest.approx(
        {"nats_per_token": 3.0, "perplexity": np.exp(3), "blimp": 0.5}
    )
    low, high = rows["change"].pop("blimp_interval")
    # Of the three paradigms only one varies: its mean is -1, -0.5 or 0.
    assert (low, high) == pytest.approx((-1 / 3, 0.0))
    assert rows["change"] == pytest.approx({"perplexity": np.e - 1, "blimp": -1 / 6})
    assert result["paradigms"]["islands"] == {"before": 1.0, "after": 0.5}
    assert result["fields"] == {
        "semantics": {"before": 0.0, "after": 0.0},
        "syntax": {"before": 1.0, "after": 0.75},
    }
    sizes = {"documents": 2, "documents_cut": 1, "tokens": 4, "pairs": 4}
    assert {name: result[name] for name in sizes} == sizes
    json.dumps(result)


def test_what_is_not_measured_is_left_out():
    text = compare_scores(scores([2.0], [1]), scores([2.0], [1]), Benchmark(["x"], []))
    assert set(text) == {"retention", "documents", "documents_cut", "tokens"}
    assert text["retention"]["change"] == {"perplexity": 0.0}
    one = scores(good=[1.0], bad=[2.0])
    blimp = compare_scores(one, one, Benchmark([], PAIRS[:1]))
    assert set(blimp) == {"retention", "pairs", "fields", "paradigms"}
    assert blimp["retention"]["change"] == {"blimp": 0.0, "blimp_interval": [0.0, 0.0]}


def test_reading(tmp_path):
    (tmp_path / "text").write_text("\n one \n\ntwo\u2028too\n", encoding="utf-8")
    pairs = [*PAIRS, Pair("z", "syntax/semantics", "g", "h")]
    found = read_benchmark(tmp_path / "text", write_blimp(tmp_path / "blimp", pairs), limit=1)
    assert found.documents == ["one", "two\u2028too"]
    assert [pair.paradigm for pair in found.pairs] == ["islands", "npi", "quantifiers", "z"]
    assert found.pairs[0] == PAIRS[0]
    assert found.pairs[-1].field == "syntax_semantics"
    assert len(read_benchmark(None, tmp_path / "blimp").pairs) == 5


def test_bad_input_is_named(tmp_path):
    with pytest.raises(ValueError, match="nothing to measure"):
        read_benchmark(None, None)
    (tmp_path / "text").write_text("\n \n")
    with pytest.raises(ValueError, match="text: no text in it"):
        read_benchmark(tmp_path / "text", None)
    with pytest.raises(ValueError, match="no pairs in .*BLiMP's folder data/"):
        read_benchmark(None, tmp_path)
    (tmp_path / "a.jsonl").write_text('{"UID": "a"}\n')
    with pytest.raises(ValueError, match="a.jsonl:1: not a pair of BLiMP .*'field'"):
        read_benchmark(None, tmp_path)


def test_the_original_is_scored_once(tmp_path, caplog):
    path, calls = tmp_path / "new" / "before.json", []

    def compute():
        calls.append(1)
        return scores([0.1 + 0.2], [3], [1.0], [2.0])

    inputs = {"llm": "a", "benchmark": Benchmark(["x"], PAIRS).digest()}
    first = cached_scores(path, inputs, compute)
    assert cached_scores(path, inputs, compute) == first
    assert len(calls) == 1
    other = {**inputs, "benchmark": Benchmark(["x"], PAIRS[:3]).digest()}
    with caplog.at_level(logging.INFO):
        cached_scores(path, other, compute)
    assert len(calls) == 2
    assert "computed again" in caplog.text


def run(monkeypatch, **options):
    command = [part for k, v in options.items() for part in (f"--{k}", str(v))]
    monkeypatch.setattr(sys, "argv", ["ssr_retention", *command])
    ssr_retention.main()


@pytest.fixture
def options(causal_lm, tmp_path):
    """Of the command, for a model with adapters that do something."""
    command = ["--llm", causal_lm, "--input_size", "8", "--connector", "mean"]
    command += ["--connector_conf", "hidden_size=8", "--output_dir", "exp"]
    args = SSRLMTask.get_parser().parse_args([*command, "--finetune", "lora"])
    complete_options(args)
    model = SSRLMTask.build_model(args)
    for parameter in model.llm.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    exp = tmp_path / "exp"
    exp.mkdir()
    torch.save(model.state_dict(), exp / "model.pth")
    (exp / "config.yaml").write_text(yaml.safe_dump({**vars(args), "best_model_criterion": None}))
    (tmp_path / "text").write_text("It is late.\nno\n")
    return {
        "model_file": exp / "model.pth",
        "text_file": tmp_path / "text",
        "blimp_dir": write_blimp(tmp_path / "blimp", PAIRS),
        "before": tmp_path / "before.json",
        "output_dir": tmp_path / "out",
    }


def test_command(options, tmp_path, monkeypatch, capsys):
    run(monkeypatch, **options)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    before, after, change = (result["retention"][k] for k in ("before", "after", "change"))
    assert after["perplexity"] != pytest.approx(before["perplexity"], rel=1e-3)
    assert change["perplexity"] == pytest.approx(after["perplexity"] / before["perplexity"] - 1)
    assert (result["tokens"], result["pairs"]) == (13, 4)
    assert "change: perplexity" in capsys.readouterr().out
    assert change["forgetting"] > 0
    # The LLM as it was is built once more for what it predicts in the text only.
    run(monkeypatch, **options)
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == result
    del options["text_file"]
    run(monkeypatch, **options)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert "forgetting" not in result["retention"]["change"]
    monkeypatch.setattr("espnet_ssr.llm.load.load_language_model", None)
    run(monkeypatch, **options)
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == result
    with pytest.raises(SystemExit):
        run(monkeypatch, **options, limit=0)
