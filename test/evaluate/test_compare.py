"""The table and the picture of several connectors, from made-up results."""

import json
import sys

import pytest
import yaml

from espnet_ssr.bin import compare_connectors
from espnet_ssr.evaluate import compare as compare_module
from espnet_ssr.evaluate.compare import Row, compare, write_comparison
from espnet_ssr.evaluate.records import Record, read_records

LLM = {
    "llm": {
        "connector": {"nats_per_token": 2.0, "token_accuracy": 0.5, "wer": 0.75},
        "text": {"nats_per_token": 0.25, "wer": 0.5},
        "other utterance": {"nats_per_token": 4.0},
        "nothing": {"nats_per_token": 5.0},
    },
    "parameters": 4_000_000,
    "vectors_per_second": 12.5,
}


def distilled(accuracy=0.5, **more):
    figures = {"token_accuracy": accuracy, "centred_cosine": 0.75, "wer": 0.25}
    result = {"figures": {"connector": figures}, "parameters": 4_700_000}
    return {**result, "vectors_per_second": 2.5, **more}


def add(folder, *results, test_set="test", seed=0, inference="decode", cost=True):
    """A training with results in ``decode``, ``decode_llm`` and ``decode_textless``."""
    for result in results:
        kind = "" if "figures" in result else "_llm" if "llm" in result else "_textless"
        output = folder / f"{inference}{kind}" / test_set
        output.mkdir(parents=True)
        (output / "result.json").write_text(json.dumps(result))
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": seed}))
    (folder / "env.txt").write_text(f"espnet_ssr: 0.1.0 (commit {seed})\n")
    if cost:
        epoch = {"steps": 60, "wall_seconds": 50.0, "cpu_seconds": 90.0}
        (folder / "training_cost.json").write_text(json.dumps({"1": epoch, "2": epoch}))


def cells(text):
    """Rows of the only table, by the first cell, as ``{heading: cell}``."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    header, _, *rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


@pytest.fixture
def drawn(monkeypatch):
    """What the picture was asked to show."""
    shown = {}
    monkeypatch.setattr(
        compare_module, "plot_panels", lambda path, points, **o: shown.update(o, points=points)
    )
    return shown


@pytest.fixture
def write(tmp_path, drawn):
    """A function that compares rows ``{name: folders}`` and gives the document."""

    def call(rows, **options):
        rows = [Row(name, tuple(tmp_path / f for f in folders)) for name, folders in rows.items()]
        output = tmp_path / "exp" / "all.md"
        write_comparison(compare(rows), output, "All", "./all.sh", "mini", **options)
        return output.read_text(encoding="utf-8")

    return call


def test_all_results_of_a_training_are_in_one_row(write, tmp_path):
    add(tmp_path / "distill_cif", distilled(textless={"segments_exact": 0.125}), LLM)
    row = cells(write({"cif": ["distill_cif"]}))["cif"]
    assert row == {
        "model": "cif", "seeds": "0", "commit": "0", "parameters (M)": "4.00",
        "vectors a second": "12.50", "steps": "120", "CPU minutes": "3.0",
        "token accuracy": "0.500", "centred cosine": "0.750", "WER": "25.0",
        "number exact": "0.125", "nats a token: vectors": "2.000", "text": "0.250",
        "other utterance": "4.000", "nothing": "5.000", "WER (LLM)": "75.0",
        "WER of the text": "50.0",
    }  # fmt: skip


def test_what_a_connector_has_no_figure_for_is_left_open(write, tmp_path):
    add(tmp_path / "lm_stack", LLM, cost=False)
    add(tmp_path / "distill_ssr", distilled())
    rows = cells(write({"stack": ["lm_stack"], "ssr": ["distill_ssr"]}))
    open_ = [heading for heading, cell in rows["stack, through the LLM"].items() if cell == "-"]
    assert open_ == ["steps", "CPU minutes", "token accuracy", "centred cosine", "WER"]


def test_accuracy_by_count(write, tmp_path):
    band = {"from": 1, "to": 9, "tokens": 2, "token_accuracy": 0.375}
    add(tmp_path / "distill_ssr", distilled(bands={"frequency": [band]}))
    row = cells(write({"ssr": ["distill_ssr"]}))["ssr"]
    assert row["1-9 times"] == "0.375"
    assert "0 times" not in row


def test_own_number_of_vectors_counts_before_that_of_the_aligner(write, tmp_path):
    aligner = {"textless": {"segments_exact": 0.5}, "utterances": 3}
    add(tmp_path / "distill_cif", distilled(textless={"segments_exact": 0.125}), aligner)
    add(tmp_path / "distill_ssr", distilled(), aligner)
    rows = cells(write({"cif": ["distill_cif"], "ssr": ["distill_ssr"]}))
    assert [row["number exact"] for row in rows.values()] == ["0.125", "0.500"]


def test_seeds_are_pooled(write, tmp_path):
    for seed, accuracy in enumerate((0.4, 0.5, 0.6)):
        add(tmp_path / f"distill_ssr_{seed}", distilled(accuracy), seed=seed)
    add(tmp_path / "distill_mean", distilled(0.25))
    text = write({"ssr": [f"distill_ssr_{seed}" for seed in range(3)], "mean": ["distill_mean"]})
    ssr, mean = cells(text).values()
    assert (ssr["seeds"], mean["seeds"]) == ("0, 1, 2", "0")
    assert (ssr["token accuracy"], mean["token accuracy"]) == ("0.500 ± 0.100", "0.250")
    assert ssr["parameters (M)"] == "4.70"  # nothing varies
    assert ssr["commit"] == "0, 1, 2"


def test_what_is_missing_is_named(write, tmp_path):
    add(tmp_path / "distill_ssr_0", distilled())
    (tmp_path / "distill_half").mkdir()  # trained, but not evaluated
    text = write({"ssr": ["distill_ssr_0", "distill_ssr_1"], "half": ["distill_half"]})
    for name, folder in (("ssr", "distill_ssr_1"), ("half", "distill_half")):
        assert f"- **missing: {name}**: no results in `{tmp_path / folder}`" in text
    assert text.count("**missing") == 2
    assert set(cells(text)["half"].values()) == {"half", "-"}


def test_missing_on_one_of_two_test_sets(write, tmp_path):
    add(tmp_path / "distill_ssr", distilled(0.5))
    add(tmp_path / "distill_ssr", distilled(0.25), test_set="other")
    add(tmp_path / "distill_mean", distilled(0.125))
    text = write({"ssr": ["distill_ssr"], "mean": ["distill_mean"]})
    other, test = text.split("## other")[1].split("## test")
    assert "**missing: mean**" in other
    assert "**missing" not in test
    assert cells(other)["ssr"]["token accuracy"] == "0.250"
    assert cells(test)["mean"]["token accuracy"] == "0.125"


def test_other_ways_of_inference_are_apart(write, tmp_path):
    add(tmp_path / "distill_ssr", distilled(0.5))
    add(tmp_path / "distill_ssr", distilled(0.25), inference="decode_best")
    rows = [Row("ssr", (tmp_path / "distill_ssr",))]
    (run,) = compare(rows, "decode_best")["test"][rows[0]]
    assert run.shown()["token_accuracy"] == 0.25


def test_nothing_evaluated(tmp_path):
    (tmp_path / "distill_ssr").mkdir()
    with pytest.raises(FileNotFoundError, match="none of the connectors was evaluated"):
        compare([Row("ssr", (tmp_path / "distill_ssr",)), Row("mean", (tmp_path / "none",))])


def test_gains(write, tmp_path):
    add(tmp_path / "distill_ssr", distilled(0.5))
    add(tmp_path / "distill_more", distilled(0.75))
    add(tmp_path / "lm_stack", LLM)
    folders = {"ssr": ["distill_ssr"], "more": ["distill_more"], "stack": ["lm_stack"]}
    rows = cells(write(folders, baseline="ssr"))
    assert [row["gain in accuracy"] for row in rows.values()] == ["0.000", "0.250", "-"]
    with pytest.raises(ValueError, match="baseline stack: no such row with a token accuracy"):
        write(folders, baseline="stack")


def test_json_has_the_figures_of_the_table(write, tmp_path):
    constant = {"figures": {"connector": {"token_accuracy": 0.5}, "mean embedding": {"mse": 1.0}}}
    for name in ("ssr_0", "ssr_1", "mean"):
        accuracy = {"token_accuracy": 0.75 if name == "ssr_1" else 0.5}
        result = {"figures": {**constant["figures"], "connector": accuracy}}
        add(tmp_path / f"distill_{name}", result, seed=int(name == "ssr_1"), cost=False)
    aligner = {"textless": {"segments_exact": 0.5}, "utterances": 3}
    add(tmp_path / "distill_mean", aligner, cost=False)
    write({"ssr": ["distill_ssr_0", "distill_ssr_1"], "mean": ["distill_mean"]})
    records = read_records([tmp_path / "exp" / "all.json"])
    assert [r for r in records if r.figure != "token_accuracy_sd"] == [
        Record("mini", "test", "ssr, forced", "token_accuracy", 0.625, (0, 1), "0, 1"),
        Record("mini", "test", "mean embedding", "mse", 1.0, (0, 1), "0, 1"),
        Record("mini", "test", "mean, forced", "token_accuracy", 0.5, (0,), "0"),
        Record("mini", "test", "mean, textless", "textless_exact", 0.5, (0,), "0"),
    ]
    (deviation,) = (r.value for r in records if r.figure == "token_accuracy_sd")
    assert deviation == pytest.approx(0.125 * 2**0.5)


def test_picture_has_a_marker_a_run(write, tmp_path, drawn):
    add(tmp_path / "distill_cif", distilled(), LLM)
    text = write({"cif": ["distill_cif"], "none": ["distill_none"]})
    assert "](images/all_test.png)" in text
    (run,) = drawn["points"]["cif"]
    shown = ("nats a token: vectors", "parameters (M)", "CPU minutes")
    assert [run[name] for name in shown] == [2.0, 4.0, 3.0]
    assert drawn["points"]["none"] == []
    assert drawn["y_names"] == ["nats a token: vectors", "token accuracy"]
    assert drawn["x_names"] == ["vectors a second", "parameters (M)", "CPU minutes"]
    assert drawn["levels"] == {"nats a token: vectors": {"text": 0.25, "nothing": 5.0}}


@pytest.fixture
def run(monkeypatch):
    """A function that runs the command with these arguments."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["compare_connectors", *map(str, arguments)])
        compare_connectors.main()

    return call


def test_command(run, tmp_path, capsys):
    add(tmp_path / "distill_cif", distilled(), LLM)
    arguments = ["--row", "cif", tmp_path / "distill_cif", "--output", tmp_path / "all.md"]
    run(*arguments)
    text = capsys.readouterr().out
    assert text.startswith("# Connectors")
    assert f"-m espnet_ssr.bin.compare_connectors {' '.join(map(str, arguments))}`" in text
    assert (tmp_path / "images" / "all_test.png").read_bytes().startswith(b"\x89PNG")


def test_command_wants_a_folder_for_each_row(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run("--row", "cif", "--output", tmp_path / "all.md")
    assert "--row cif: give the folder of a training" in capsys.readouterr().err
