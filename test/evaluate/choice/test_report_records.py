"""The figures of RESULTS.json are those of the report's tables."""

import json
from dataclasses import replace

import pytest
import yaml
from test_statistics import answers

from espnet_ssr.evaluate.choice.answer import write_answers
from espnet_ssr.evaluate.choice.collect import read_runs
from espnet_ssr.evaluate.choice.cost import Cost
from espnet_ssr.evaluate.choice.report import write_report
from espnet_ssr.evaluate.choice.report_records import make_records
from espnet_ssr.evaluate.choice.report_tables import make_tables
from espnet_ssr.evaluate.choice.run import answers_file
from espnet_ssr.evaluate.choice.statistics import summarize
from espnet_ssr.evaluate.records import read_records


def add(root, system, kind, model=None, **by_mode):
    """What ``ssr_choice`` leaves of a system, of answers by mode."""
    folder = root / system / "blimp"
    folder.mkdir(parents=True)
    modes = {}
    for mode, found in by_mode.items():
        mode = mode.replace("_", "->")
        write_answers(folder / answers_file(mode), found)
        modes[mode] = {**summarize(found), "skipped": {}}
    result = {
        "system": system, "asked": "blimp", "task": "blimp", "shots": 0, "normalisation": "token",
        "scorer": {"scorer": kind, "model": model}, "by_group": False, "modes": modes,
        "left_out": {},
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "config.yaml").write_text(yaml.safe_dump({"seed": 3}))
    root = tmp_path / "choice"
    add(root, "text", "text", T=answers([True] * 9 + [False]))
    heard = {"S": answers([True] * 6 + [False] * 4), "S_T": answers([True] * 8, first=2)}
    add(root, "ours forced", "forced", str(tmp_path / "exp" / "model.pth"), **heard)
    costs = [None, *(Cost(0.1 * n, 2.0) for n in range(1, 10))]
    heard = zip(answers([True] * 9 + [False]), costs, strict=True)
    add(root, "cascade", "cascade", S=[replace(answer, cost=cost) for answer, cost in heard])
    add(root, "mean", "mean", S=answers([True, False] * 5))
    return read_runs([root])


def test_figures(runs):
    records = make_records(runs, "mini")
    found = {(r.model, r.figure): r for r in records}
    assert len(found) == len(records)
    gap = found["ours, forced", "gap_blimp_S"]
    assert (gap.value, gap.seeds, gap.set) == (pytest.approx(30.0), (3,), "choice")
    low, high = (found["ours, forced", f"gap_blimp_S_{end}"].value for end in ("low", "high"))
    assert low < 30 < high
    assert found["cascade", "gap_blimp_S"].value == 0
    # On the items of both.
    assert found["ours, forced", "gap_blimp_S->T"].value == pytest.approx(-100 / 8)
    assert found["text", "accuracy_blimp_T"].value == pytest.approx(90.0)
    assert found["mean", "accuracy_blimp_S"].seeds == ()
    # Of the nine answers that know it.
    assert found["cascade", "rtf"].value == pytest.approx(0.1 * 45 / 18)
    assert [model for model, figure in found if figure == "rtf"] == ["cascade"]
    # A topline and controls have no gap.
    assert {model for model, figure in found if figure.startswith("gap")} == {
        "ours, forced", "cascade"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("system", "kind", "model"),
    [
        ("distill_hull_hmm forced", "forced", "hull_hmm, forced"),
        ("finetune_kd textless", "textless", "kd, fine-tuned, textless"),
        ("lm_stack", "vectors", "stack, through the LLM, vectors"),
        ("text_float32", "text", "text_float32, text"),
        ("cascade", "cascade", "cascade"),
    ],
)
def test_models_are_called_as_in_stage_11(tmp_path, system, kind, model):
    add(tmp_path, system, kind, T=answers([True]))
    assert {r.model for r in make_records(read_runs([tmp_path]), "mini")} == {model}


def test_figures_are_those_of_the_tables(runs, tmp_path):
    write_report(runs, tmp_path / "RESULTS.md", "", "mini")
    records = read_records([tmp_path / "RESULTS.json"])
    systems = {r.model: r.model.replace("ours, forced", "ours forced") for r in records}
    value = {(systems[r.model], r.figure): r.value for r in records}

    def cell(system, figure, sign=""):
        low, high = (f"{value[system, f'{figure}_{end}']:{sign}.1f}" for end in ("low", "high"))
        return f"{value[system, figure]:{sign}.1f} [{low}, {high}]"

    gaps, accuracies, *_ = make_tables(runs)
    shown = {(row[2], f"gap_{row[0]}_{row[1]}"): row[6] for row in gaps.rows}
    assert shown == {
        (system, figure): cell(system, figure, "+")
        for system, figure in value
        if figure.startswith("gap") and not figure.endswith(("_low", "_high"))
    }
    assert accuracies.header[-1] == "real-time factor (CPU time)"
    figures = [f"accuracy_{name.replace(' ', '_')}" for name in accuracies.header[1:-1]]
    for system, *cells, factor in accuracies.rows[1:]:
        assert factor == ("0.2500" if system == "cascade" else "-")
        for figure, shown in zip(figures, cells, strict=True):
            assert shown == (cell(system, figure) if (system, figure) in value else "-")
