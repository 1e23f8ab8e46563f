"""Scoring through the LLM: rows against transformers, controls, a test set from files to files."""

import json
import sys

import kaldiio
import numpy as np
import pytest
import torch
import yaml
from tiny_causal_lm import make_tokenizer
from torch.nn.functional import cross_entropy

from espnet_ssr.bin import ssr_lm_inference
from espnet_ssr.datadir import read_keyed, write_keyed
from espnet_ssr.evaluate.transcript import (
    Heard,
    Reader,
    another,
    evaluate_transcripts,
    hear,
    plain,
    score,
    transcribe,
)
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.llm.prompt import Prompt
from espnet_ssr.task.distill import SSRDistillTask
from espnet_ssr.task.lm import SSRLMTask, complete_options

TEXTS = {"b": " so it is", "a": " no", "c": " that is all"}


@pytest.fixture
def llm(causal_lm):
    return load_language_model(causal_lm)


@pytest.fixture
def prompt():
    return Prompt(make_tokenizer(start=True), "a<speech>b<text>\n")


@pytest.fixture
def targets(prompt):
    return {
        u: torch.tensor(prompt.tokenizer(text, add_special_tokens=False).input_ids)
        for u, text in TEXTS.items()
    }


@pytest.fixture
def vectors():
    generator = torch.Generator().manual_seed(0)
    sizes = {"b": 3, "a": 0, "c": 5}
    return {u: torch.randn(n, 16, generator=generator) for u, n in sizes.items()}


@torch.inference_mode()
def test_scores_are_means_over_tokens(llm, prompt, vectors, targets):
    nats, correct = [], []
    for u, ids in targets.items():
        inputs = torch.cat([prompt.around(vectors[u], llm), llm.embed(ids)])[None]
        logits = llm.model(inputs_embeds=inputs).logits[0, -len(ids) - 1 : -1]
        nats.append(cross_entropy(logits, ids, reduction="none"))
        correct.append((logits.argmax(-1) == ids).float())
    assert score(vectors, targets, llm, prompt) == pytest.approx(
        {
            "nats_per_token": torch.cat(nats).mean().item(),
            "perplexity": torch.cat(nats).mean().exp().item(),
            "token_accuracy": torch.cat(correct).mean().item(),
        },
        rel=1e-4,
    )


@torch.inference_mode()
def test_transcripts_end_at_a_line_break_or_a_limit(prompt, vectors, targets):
    class Says:
        """An LLM that writes the same for everyone."""

        dtype = torch.float32

        def __init__(self, text):
            self.ids = prompt.tokenizer(text, add_special_tokens=False).input_ids

        def embed(self, ids):
            return torch.zeros(len(ids), 16)

        def generate(self, rows, stop, max_tokens):
            assert set(prompt.end) < set(stop)
            return [self.ids[:max_tokens]] * len(rows)

    found = transcribe(vectors, targets, Says("  Yes,  it is"), prompt)
    assert found == dict.fromkeys(TEXTS, "Yes, it is")
    found = transcribe(vectors, targets, Says(100 * "x"), prompt)
    assert {u: len(text) for u, text in found.items()} == {
        u: 2 * len(text) + 10 for u, text in TEXTS.items()
    }


def test_another_is_never_oneself_and_everyone_once():
    names = [f"u{i}" for i in range(20)]
    found = another(names, seed=3)
    assert sorted(found.values()) == sorted(names)
    assert all(a != b for a, b in found.items())
    assert another(names, seed=3) == found != another(names, seed=4)


def test_plain():
    assert plain(" It's “late”, he_said:  10 o'clock.\n") == "it's late he said 10 o'clock"


@torch.inference_mode()
def test_rows(llm, prompt, targets, tmp_path):
    # The vectors are the embeddings of the text, so that the first two rows are the same.
    heard = {u: Heard(llm.embed(ids), ids, 2.0) for u, ids in targets.items()}
    continuation = Prompt(prompt.tokenizer, "<speech>")
    reader = Reader(None, llm, prompt, continuation, None)
    result = evaluate_transcripts(heard, reader, tmp_path / "out")
    going_on = result.pop("continuation")
    assert going_on["connector"] == going_on["text"]
    nats = []
    for ids in targets.values():
        whole = torch.cat([torch.tensor(continuation.before), ids])
        logits = llm.model(input_ids=whole[None]).logits[0, :-1]
        nats.append(cross_entropy(logits[-len(ids) :], ids, reduction="none"))
    expected = torch.cat(nats).mean().item()
    assert going_on["text"]["nats_per_token"] == pytest.approx(expected, rel=1e-4)
    rows = result.pop("llm")
    assert set(rows) == {"connector", "text", "other utterance", "nothing"}
    assert rows["connector"] == rows["text"]
    assert set(rows["text"]) == {"nats_per_token", "perplexity", "token_accuracy", "wer", "cer"}
    assert set(rows["nothing"]) == {"nats_per_token", "perplexity", "token_accuracy"}
    assert len({row["nats_per_token"] for row in rows.values()}) == 3
    tokens = sum(map(len, TEXTS.values()))
    expected = {"utterances": 3, "tokens": tokens, "seconds": 6.0, "vectors_per_second": tokens / 6}
    assert result == pytest.approx(expected)
    assert list(read_keyed(tmp_path / "out" / "text")) == list(TEXTS)
    (alone,) = [{"a": heard["a"]}]
    result = evaluate_transcripts(alone, reader._replace(continuation=None), tmp_path)
    assert "other utterance" not in result["llm"]
    assert "continuation" not in result


@pytest.fixture
def data(tmp_path, prompt):
    """A test set of which one utterance has no segments; options of the command."""
    rng = np.random.default_rng(0)
    feats = {u: rng.normal(size=(30, 8)).astype("float32") for u in TEXTS}
    kaldiio.save_ark(str(tmp_path / "feats.ark"), feats, scp=str(tmp_path / "feats.scp"))
    ids = {u: prompt.tokenizer(t, add_special_tokens=False).input_ids for u, t in TEXTS.items()}
    write_keyed(tmp_path / "token_id", {u: " ".join(map(str, i)) for u, i in ids.items()})
    ends = {u: " ".join(f"{0.02 * (n + 1):.2f}" for n in range(len(i))) for u, i in ids.items()}
    del ends["a"]
    write_keyed(tmp_path / "token_end", ends)
    return {
        "model_file": tmp_path / "exp" / "model.pth",
        "reference": tmp_path / "token_id",
        "feats_scp": tmp_path / "feats.scp",
        "output_dir": tmp_path / "out",
    }


def run(monkeypatch, **options):
    command = [part for k, v in options.items() for part in (f"--{k}", str(v))]
    monkeypatch.setattr(sys, "argv", ["ssr_lm_inference", *command])
    ssr_lm_inference.main()


@pytest.mark.parametrize("task", [SSRDistillTask, SSRLMTask])
def test_command(task, causal_lm, data, tmp_path, monkeypatch, capsys):
    options = ["--llm", causal_lm, "--input_size", "8", "--connector", "mean"]
    options += ["--connector_conf", "hidden_size=8", "--output_dir", "exp"]
    args = task.get_parser().parse_args(options)
    if task is SSRLMTask:
        complete_options(args)
    model = task.build_model(args)
    exp = tmp_path / "exp"
    exp.mkdir()
    torch.save(model.state_dict(), exp / "model.pth")
    (exp / "config.yaml").write_text(yaml.safe_dump({**vars(args), "best_model_criterion": None}))
    with pytest.raises(ValueError, match="MeanConnector needs segments: give --seg_dir"):
        run(monkeypatch, **data)
    run(monkeypatch, **data, seg_dir=tmp_path)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (result["utterances"], result["missing"]) == (2, 1)
    assert result["parameters"] == sum(p.numel() for p in model.connector.parameters())
    assert set(read_keyed(tmp_path / "out" / "text")) == {"b", "c"}
    assert "continuation" in result
    assert "llm, other utterance: nats_per_token" in capsys.readouterr().out


def test_nothing_to_score_is_an_error(causal_lm):
    with pytest.raises(ValueError, match="no utterance has a reference"):
        hear(torch.nn.ModuleDict({"connector": _WithOutput()}), [(["x"], {})], {"y": [1]})


class _WithOutput(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.output = torch.nn.Linear(1, 1)
