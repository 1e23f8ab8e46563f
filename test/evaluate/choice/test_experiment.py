"""The command: a configuration, benchmark files and a stand-in for a voice; a report of it all."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from espnet_ssr.bin import ssr_choice, ssr_choice_diff, ssr_choice_report
from espnet_ssr.evaluate.choice import ask as ask_module
from espnet_ssr.evaluate.choice.experiment import (
    check_benchmarks,
    read_experiment,
    systems_of_llm,
    systems_of_model,
)
from espnet_ssr.evaluate.records import read_records
from espnet_ssr.tts.items import Refused

RECIPE = Path(__file__).resolve().parents[3] / "egs2" / "TEMPLATE" / "ssr1"
WORDS = ["ab", "cd", "ef", "gh", "ij", "kl"]


@pytest.fixture
def blimp(tmp_path):
    """Two paradigms of six pairs of two words."""
    folder = tmp_path / "blimp"
    folder.mkdir()
    for paradigm in ("one", "two"):
        rows = [
            {"sentence_good": f"{w} {paradigm}", "sentence_bad": f"{paradigm} {w}"} for w in WORDS
        ]
        rows = [
            r | {"UID": paradigm, "field": "syntax", "pairID": str(n)} for n, r in enumerate(rows)
        ]
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{paradigm}.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def config(tmp_path, blimp, causal_lm, make_experiment):
    tiny = ["--encoder", "tiny", "--encoder_conf", "output_size=8"]
    tiny += ["--connector", "cif"]
    tiny += [f"--connector_conf={option}" for option in ("num_heads=2", "num_layers=1")]
    heard = {"model": str(make_experiment(*tiny)), "modes": ["S"]}
    systems = {
        "mean": {"scorer": "mean", "llm": causal_lm, "modes": ["S"]},
        "text": {"scorer": "text", "llm": causal_lm, "modes": ["T"]},
        "our own": {"scorer": "forced", **heard},
        "chance": {"scorer": "chance"},
    }
    content = {
        "tasks": {"blimp": {"path": str(blimp), "limit": 10, "by_group": True}},
        "systems": systems,
        "speech": {"voices": ["nobody"], "cache_dir": str(tmp_path / "speech")},
    }
    (tmp_path / "choice.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "choice.yaml"


@pytest.fixture
def voice(monkeypatch, beeps):
    """Says a beep for each word, but one item."""

    def speak(items, cache):
        dropped = {items[0].item_id: f"symbol {Refused('symbol', 'what?')}"}
        said = []
        for item in items[1:]:
            fill = [
                tuple(p._replace(audio=beeps(len(p.text.split()))) for p in c)
                for c in item.candidates
            ]
            said.append(type(item)(item.item_id, item.group, (), tuple(fill), item.answer))
        return said, dropped

    monkeypatch.setattr(ask_module, "_load_cache", lambda speech, device: None)
    monkeypatch.setattr(ask_module, "speak_items", speak)


def run(command, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [command.__name__, *map(str, arguments)])
    command.main()


@pytest.mark.slow
def test_from_configuration_to_report(config, voice, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    run(ssr_choice, monkeypatch, "--config", config, "--output_dir", out)
    shown = capsys.readouterr().out
    assert re.search(r"text: blimp, T: [\d.]+% \(.*\) of 10, skipped: 0", shown)
    assert re.search(r"chance: blimp, S: 50.0% \(50.0% to 50.0%\) of 9, skipped: 0", shown)
    result = json.loads((out / "our_own" / "blimp" / "result.json").read_text())
    assert result["left_out"] == {"symbol": 1}
    assert "symbol" in (out / "our_own" / "blimp" / "left_out").read_text()

    files = [
        out / system / "blimp" / name for system, name in (("text", "T.jsonl"), ("mean", "S.jsonl"))
    ]
    run(ssr_choice_diff, monkeypatch, *files)
    shown = capsys.readouterr().out
    assert "9 items of both, 1 and 0 of one only" in shown
    assert "McNemar p" in shown

    bands = {"frequency": [], "position": []}
    band = {"from": 0, "to": None, "tokens": 3, "token_accuracy": 0.5, "centred_cosine": 0.4}
    (tmp_path / "exp" / "decode" / "test").mkdir(parents=True)
    fidelity = tmp_path / "exp" / "decode" / "test" / "result.json"
    fidelity.write_text(json.dumps({"bands": {name: [band] for name in bands}}))
    run(ssr_choice_report, monkeypatch, "--choice_dir", out, "--fidelity", fidelity)
    check_report((out / "RESULTS.md").read_text(), (out / "report.html").read_text())


def check_report(markdown, page):
    titles = ["Gap between text and speech", "Accuracy", "Beside the paper", "Not answered"]
    for title in titles:
        assert f"## {title}" in markdown
        assert f"<h2>{title}</h2>" in page
    gap = next(line for line in markdown.splitlines() if line.startswith("| blimp | S | our own"))
    assert gap.split("|")[4].strip() == "9"
    # It needs nothing from elsewhere.
    assert page.count("data:image/svg+xml;base64,") == 4
    assert not re.search(r"<script|<link|(src|href)=\"(?!data:)", page)


def test_a_quick_look_at_some(config, voice, tmp_path, monkeypatch, capsys):
    options = ["--config", config, "--output_dir", tmp_path / "out"]
    run(ssr_choice, monkeypatch, *options, "--systems", "text", "--limit", 4)
    assert "of 4, skipped" in capsys.readouterr().out
    # The whole run goes elsewhere, so its shards stay.
    assert [str(p.parent.relative_to(tmp_path)) for p in tmp_path.glob("out/*/*/result.json")] == [
        "out/text/blimp_limit4"
    ]
    with pytest.raises(ValueError, match="--tasks mmlu: there are blimp"):
        run(ssr_choice, monkeypatch, *options, "--tasks", "mmlu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": {"x": {"path": "a"}}}, "task 'x' is none of"),
        ({"tasks": {"blimp": {"path": "a", "shot": 1}}}, "tasks: blimp: unknown option shot"),
        (
            {"tasks": {"blimp": {"path": "a", "modes": ["S->T"]}}},
            "blimp: no mode S->T; there are T, S",
        ),
        ({"systems": {"a": {"scorer": "ear"}}}, "systems: a: scorer should be one of chance"),
        (
            {"tasks": {"blimp": {"path": "a", "noise": {"kind": "white"}}}},
            "tasks: blimp: noise: Noise needs snr",
        ),
        (
            {"tasks": {"blimp": {"path": "a", "noise": {"kind": "babble", "snr": 0}}}},
            "noise: babble needs a source",
        ),
        ({"speech": {"voice": []}}, "speech: unknown option voice"),
    ],
)
def test_mistakes_are_named(config, change, message):
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | change))
    with pytest.raises(ValueError, match=f"choice.yaml: .*{message}"):
        read_experiment(config)


def test_noise_of_a_task(config, tmp_path):
    content = yaml.safe_load(config.read_text())
    noise = {"kind": "babble", "snr": 10, "source": str(tmp_path / "train")}
    content["tasks"]["noisy"] = {**content["tasks"]["blimp"], "task": "blimp", "noise": noise}
    config.write_text(yaml.safe_dump(content))
    tasks = read_experiment(config).tasks
    assert (tasks["noisy"].noise.snr, tasks["blimp"].noise) == (10, None)
    with pytest.raises(FileNotFoundError, match="noisy: noise: .*train is no data directory"):
        check_benchmarks(tasks.values(), config)
    del content["speech"]
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match="tasks: noisy: noise needs speech: with a cache_dir"):
        read_experiment(config)


def test_variables_are_those_of_the_environment(config, monkeypatch):
    content = yaml.safe_load(config.read_text())
    voices = ["$SSR_TEST/joe", "command: sh -c 'echo $1' ${SSR_TEST}"]
    content["speech"]["voices"] = voices
    config.write_text("# no variable: $SSR_NOTHING\n" + yaml.safe_dump(content))
    monkeypatch.setenv("SSR_TEST", "a: {b")
    found = read_experiment(config).speech.voices
    assert found == ["a: {b/joe", "command: sh -c 'echo $1' a: {b"]
    monkeypatch.delenv("SSR_TEST")
    with pytest.raises(ValueError, match="choice.yaml: .SSR_TEST: the environment variable SSR_TE"):
        read_experiment(config)


def test_the_recipe_leaves_llm_and_model_open(monkeypatch):
    monkeypatch.setenv("SSR_MODELS", "models")
    file = RECIPE / "conf" / "choice.yaml"
    experiment = read_experiment(file)
    assert len(experiment.speech.voices) >= 3
    systems = experiment.systems.values()
    without = systems_of_llm(systems, "some_llm")
    assert [s.name for s in without] == ["chance", "mean", "text", "words", "cascade"]
    assert [s.conf.get("llm") for s in without] == [None] + 4 * ["some_llm"]
    heard = systems_of_model(systems, "model.pth", {"aligner": "hmm"}, "ours")
    assert [s.name for s in heard] == ["ours forced", "ours textless"]
    assert heard[0].conf["model"] == "model.pth"
    assert heard[0].conf["model_conf"] == {"aligner": "hmm"}
    assert heard[0].conf["transcript"] == "normalised"
    with pytest.raises(ValueError, match="systems: mean: of which llm"):
        systems_of_llm(systems, None)
    with pytest.raises(FileNotFoundError, match="choice.yaml: tasks: blimp: no down.*eval_data.sh"):
        check_benchmarks(experiment.tasks.values(), file)


def test_what_is_named_is_kept(config):
    content = yaml.safe_load(config.read_text())
    content["systems"]["low"] = {"scorer": "forced", "model_conf": {"dtype": "bfloat16"}}
    config.write_text(yaml.safe_dump(content))
    systems = read_experiment(config).systems
    assert systems_of_llm(systems.values(), "another") == [
        systems[name] for name in systems if name != "low"
    ]
    (low,) = systems_of_model(systems.values(), "x.pth", {"aligner": "hmm"})
    assert low.name == "low"
    assert low.conf["model_conf"] == {"aligner": "hmm", "dtype": "bfloat16"}


def test_rows_of_a_model_are_asked_with_the_model(config, tmp_path, monkeypatch):
    content = yaml.safe_load(config.read_text())
    checkpoint = content["systems"]["our own"].pop("model")
    del content["speech"]
    config.write_text(yaml.safe_dump(content))
    first, second = tmp_path / "all", tmp_path / "ours"
    options = ["--config", config, "--limit", 2, "--output_dir"]
    run(ssr_choice, monkeypatch, *options, first)
    run(ssr_choice, monkeypatch, *options, second, "--model_file", checkpoint, "--model_name", "x")
    found = {str(f.parents[1].relative_to(tmp_path)) for f in tmp_path.glob("*/*/*/result.json")}
    assert found == {"all/mean", "all/text", "all/chance", "ours/x_our_own"}
    report = ["--choice_dir", first, second, "--output_dir", tmp_path / "report"]
    report += ["--recipe", "tiny"]
    run(ssr_choice_report, monkeypatch, *report)
    assert "x our own" in (tmp_path / "report" / "RESULTS.md").read_text()
    records = read_records([tmp_path / "report" / "RESULTS.json"])
    assert {record.recipe for record in records} == {"tiny"}
    assert {r.model for r in records if r.figure == "accuracy_blimp_limit2_T"} == {"text", "chance"}
    with pytest.raises(ValueError, match="two systems named 'chance': see ssr_choice --model_name"):
        run(ssr_choice_report, monkeypatch, "--choice_dir", first, first)
