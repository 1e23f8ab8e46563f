"""RESULTS.json is read as it was written, what is wrong in it is named, and tables show it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.evaluate.figures import FIGURES, column_of, figures_table
from espnet_ssr.evaluate.records import (
    Record,
    commit_of,
    has_tag,
    name_model,
    read_records,
    recipe_of,
    write_records,
)

NAMES = st.text(min_size=1, max_size=9)


def record(model, figure, value, seeds=(0,), commit="abc"):
    return Record("mini", "test", model, figure, value, seeds, commit)


@given(
    records=st.lists(
        st.builds(
            Record,
            *4 * [NAMES],
            st.floats(allow_nan=False, allow_infinity=False),
            st.lists(st.integers(0, 9)).map(tuple),
            NAMES,
        ),
        unique_by=lambda r: (r.recipe, r.set, r.model, r.figure),
    )
)
def test_read_as_written(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("records") / "RESULTS.json"
    write_records(path, records)
    assert read_records([path]) == records
    # Any program can read it.
    assert [entry["seeds"] for entry in json.loads(path.read_text(encoding="utf-8"))] == [
        list(r.seeds) for r in records
    ]


def test_what_is_wrong_is_named(tmp_path):
    path = tmp_path / "RESULTS.json"
    with pytest.raises(ValueError, match="mini, test, ssr, wer: there are two of it"):
        write_records(path, [record("ssr", "wer", 1.0), record("ssr", "wer", 2.0)])
    for text, message in [
        ("[", "RESULTS.json: not JSON"),
        ("{}", "RESULTS.json: not a list"),
        ('[{"set": "test"}]', "entry 1: its keys should be commit, figure, model"),
        ("[1]", "entry 1: its keys"),
    ]:
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_records([path])


def test_names(tmp_path):
    assert name_model("ssr", "", "forced") == "ssr, forced"
    assert has_tag("ssr, forced", "forced")
    assert not has_tag("forced", "forced")
    assert recipe_of(tmp_path / "egs2" / "asterisk" / "ssr1") == "asterisk"
    assert recipe_of(tmp_path / "mine") == "mine"
    assert commit_of("0.1.0 (commit abc+)") == "abc+"
    assert commit_of("unknown") == "unknown"


def test_table():
    records = [
        record("ssr, forced", "token_accuracy", 0.5, (0, 1)),
        record("ssr, forced", "token_accuracy_sd", 0.0123, (0, 1)),
        record("ssr, textless", "textless_exact", 0.25, (2,), "def"),
        record("cascade", "gap_blimp_S", 8.04, ()),
        record("cascade", "gap_blimp_S_low", 6.0, ()),
        record("cascade", "gap_blimp_S_high", 10.0, ()),
    ]
    figures = ["token_accuracy", "mse", "textless_exact", "gap_blimp_S"]
    assert figures_table(records, figures).splitlines() == [
        "| model | seeds | commit | token accuracy | number exact | gap blimp S |",
        "| --- | --- | --- | ---: | ---: | ---: |",
        "| ssr, forced | 0, 1 | abc | 0.500 ± 0.012 | - | - |",
        "| ssr, textless | 2 | def | - | 0.250 | - |",
        "| cascade | - | abc | - | - | 8.0 [6.0, 10.0] |",
    ]
    merged = figures_table(
        records, figures, {"ssr": ["ssr, forced", "ssr, textless"], "none": ["none"]}
    )
    assert merged.splitlines()[2:] == [
        "| ssr | 0, 1, 2 | abc, def | 0.500 ± 0.012 | 0.250 |",
        "| none | - | - | - | - |",
    ]


def test_headings_are_unlike():
    headings = [shown.heading for shown in FIGURES.values()]
    assert len(set(headings)) == len(headings)
    with pytest.raises(ValueError, match="x: no such figure; there are parameters, hours"):
        column_of("x")
