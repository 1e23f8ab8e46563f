"""The committed RESULTS.json and the tables of the RESULTS*.md beside it have the same figures."""

import re
from pathlib import Path

import pytest
from hand_written_results import LAYOUTS, PROSE
from markdown_results import parse_cell, read_figures

from espnet_ssr.evaluate.figures import column_of, figures_table
from espnet_ssr.evaluate.records import Record, read_records, recipe_of

REPO = Path(__file__).resolve().parents[2]
FOLDERS = sorted({file.parent for file in REPO.glob("egs2/*/ssr1/RESULTS.md")})


def key(record):
    return record.set, record.model, record.figure


@pytest.fixture(params=FOLDERS, ids=recipe_of)
def folder(request):
    return request.param


def test_figures_are_known_and_there_once(folder):
    records = read_records([folder / "RESULTS.json"])
    assert {record.recipe for record in records} == {recipe_of(folder)}
    assert len({key(record) for record in records}) == len(records)
    for record in records:
        column_of(re.sub("_(sd|low|high)$", "", record.figure))


@pytest.mark.parametrize("name", ["RESULTS.md", "RESULTS_choice.md"])
def test_tables_are_those_of_the_json_file(folder, name):
    if not (folder / name).is_file():
        pytest.skip(f"the recipe has no {name}")
    recipe = recipe_of(folder)
    records = {key(record): record for record in read_records([folder / "RESULTS.json"])}
    text = (folder / name).read_text(encoding="utf-8")
    shown = list(read_figures(recipe, text, LAYOUTS.get(recipe, {}), records.values()))
    assert len(shown) > 30
    for found, digits in shown:
        record = records[key(found)]
        assert record.value == pytest.approx(found.value, abs=0.5000001 * 10**-digits), found
        assert record.seeds == found.seeds or not found.seeds, found
    if name == "RESULTS.md" and recipe in LAYOUTS:
        written = {k[1:] for k in PROSE if k[0] == recipe}
        assert {key(found) for found, _ in shown} | written == set(records)


@pytest.mark.parametrize("place", list(PROSE), ids=" ".join)
def test_figures_of_sentences(place):
    folder = REPO / "egs2" / place[0] / "ssr1"
    value, written = PROSE[place]
    assert written in (folder / "RESULTS.md").read_text(encoding="utf-8")
    (found,) = (r for r in read_records([folder / "RESULTS.json"]) if key(r) == place[1:])
    assert found.value == value


def test_tables_that_were_made(tmp_path):
    records = [
        Record("mini", "libri_unheard", "ssr, forced", "token_accuracy", 0.62049, (0, 1), "abc"),
        Record("mini", "libri_unheard", "ssr, forced", "token_accuracy_sd", 0.01, (0, 1), "abc"),
        Record("mini", "libri_unheard", "cif, own", "wer", 43.21, (0,), "def"),
        Record("mini", "choice", "ssr, forced", "gap_blimp_S->T", 5.55, (0,), "def"),
    ]
    figures = ["token_accuracy", "wer", "gap_blimp_S->T"]
    text = "# Results\n\n## Real speech of others: libri_unheard\n\n"
    text += figures_table(records[:3], figures)
    text += "\n### Choice tasks\n\n" + figures_table(records[3:], figures)
    shown = list(read_figures("mini", text, {}, records))
    assert [key(found) for found, _ in shown] == [key(record) for record in records]
    assert [found.value for found, _ in shown] == pytest.approx([0.62, 0.01, 43.2, 5.5], abs=0.051)
    assert [digits for _, digits in shown] == [3, 3, 1, 1]
    assert [found.seeds for found, _ in shown] == [(0, 1), (0, 1), (0,), (0,)]


def test_cells():
    assert parse_cell("0.815 ± 0.010") == {"": (0.815, 3), "_sd": (0.01, 3)}
    assert parse_cell("+14.5 [+12.2, -0.5]") == {
        "": (14.5, 1), "_low": (12.2, 1), "_high": (-0.5, 1)
    }  # fmt: skip
    assert parse_cell("-0.0 (-1.3 to +1.2)")["_high"] == (1.2, 1)
    assert parse_cell("+40.5 %") == {"": (40.5, 1)}
    for cell in ("-", "", "0, 1, 2", "ssr 2"):
        assert parse_cell(cell) == {}
