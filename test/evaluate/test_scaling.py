"""Curves of figures over hours, from made-up results."""

import sys

import pytest

from espnet_ssr.bin import show_results
from espnet_ssr.evaluate.records import Record, write_records
from espnet_ssr.evaluate.scaling import Panel, collect_curves, draw_scaling, parse_panel

ACCURACY = Panel("asterisk_test", "token_accuracy")
GAP = Panel("choice", "gap_blimp_S")


def record(model, figure, value, test_set="asterisk_test"):
    return Record("vocab", test_set, model, figure, value, (0, 1, 2), "abc")


def made_up():
    """Two models at four numbers of hours, and a cascade."""
    records = [record("whisper-tiny.en, cascade", "gap_blimp_S", 8.0, "choice")]
    for hours, unseen in zip((0.3, 1, 3, 10), (0.1, 0.3, 0.5, 0.65), strict=True):
        for head, less in (("hull", 0.0), ("linear", 0.2)):
            model = f"{head} {hours:g}h, forced"
            records += [
                record(model, "token_accuracy", unseen + 0.2 - less),
                record(model, "token_accuracy_sd", 0.02),
                record(model, "token_accuracy_0", max(unseen - 2 * less, 0)),
                record(model, "M", 4 - 4 * unseen + less),
                record(model, "gap_blimp_S", 16 - 14 * unseen + 9 * less, "choice"),
            ]
    return records


def test_hours_are_in_names_figures_or_given():
    records = [
        (None, record("hull_3h, forced", "token_accuracy", 0.5)),
        (None, record("hull 0.3h, forced", "token_accuracy", 0.25)),
        (None, record("mean, forced", "hours", 1.5)),
        (None, record("mean, forced", "token_accuracy", 0.125)),
        # Choice tasks do not tell hours, but the model's name is the same.
        (None, record("mean, textless", "gap_blimp_S", 9.0, "choice")),
        (10.0, record("hull, forced", "token_accuracy", 0.75)),
        (10.0, record("hull, forced", "token_accuracy_sd", 0.03)),
        (None, record("whisper, cascade", "token_accuracy", 0.9)),
    ]
    curves = collect_curves(records, [ACCURACY, GAP])
    assert curves[ACCURACY] == {
        "hull, forced": [(0.3, 0.25, 0), (3, 0.5, 0), (10, 0.75, 0.03)],
        "mean, forced": [(1.5, 0.125, 0)],
    }
    assert curves[GAP] == {"mean, textless": [(1.5, 9.0, 0)]}
    again = (3.0, record("hull, forced", "token_accuracy", 0.6))
    with pytest.raises(ValueError, match="hull, forced, .*: two values for 3 hours"):
        collect_curves([*records, again], [ACCURACY])


def test_mistakes(tmp_path):
    with pytest.raises(ValueError, match="panel token_accuracy: it should be SET:FIGURE"):
        parse_panel("token_accuracy")
    with pytest.raises(ValueError, match="acuracy: no such figure"):
        parse_panel("test:acuracy")
    assert parse_panel("choice:gap_hellaswag_S->T") == ("choice", "gap_hellaswag_S->T")
    records = [(None, r) for r in made_up()]
    with pytest.raises(ValueError, match="choice:gap_mmlu_S: nothing to draw; models there: none"):
        draw_scaling(tmp_path / "a.png", records, [Panel("choice", "gap_mmlu_S")])


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A function that runs the command on a file of made-up results."""
    write_records(tmp_path / "RESULTS.json", made_up())

    def call(*arguments):
        arguments = ["show_results", "--results", tmp_path / "RESULTS.json", *arguments]
        monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
        show_results.main()

    return call


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "asterisk", "--figures", "M"], "no set 'asterisk'; there are choice; asterisk"),
        (["--set", "choice", "--figures", "acuracy"], "acuracy: no such figure"),
        (["--set", "choice", "--figures", "M", "--models", "hull"], "no model 'hull'; there are"),
        (["--panel", "choice:M", "--models", "hul", "--output", "a"], "no model 'hul'; there are"),
        (["--panel", "choice:M", "--levels", "whisper", "--output", "a"], "no model 'whisper'"),
    ],
)
def test_misspelt_names(run, arguments, message):
    with pytest.raises(ValueError, match=message):
        run(*arguments)


def test_picture(run, tmp_path):
    test = "asterisk_test"
    panels = [f"{test}:token_accuracy", f"{test}:token_accuracy_0", f"{test}:M"]
    output = tmp_path / "images" / "scaling.png"
    levels = ["--levels", "whisper-tiny.en, cascade", "--title", "made up"]
    run("--panel", *panels, "choice:gap_blimp_S", "--output", output, *levels)
    assert output.read_bytes().startswith(b"\x89PNG")


def test_table(run, capsys):
    figures = ["token_accuracy", "token_accuracy_0", "M"]
    models = ["hull 10h, forced", "linear 10h, forced"]
    run("--set", "asterisk_test", "--figures", *figures, "--models", *models)
    assert capsys.readouterr().out.splitlines() == [
        "| model | seeds | commit | token accuracy | 0 times | M (nats) |",
        "| --- | --- | --- | ---: | ---: | ---: |",
        "| hull 10h, forced | 0, 1, 2 | abc | 0.850 ± 0.020 | 0.650 | 1.400 |",
        "| linear 10h, forced | 0, 1, 2 | abc | 0.650 ± 0.020 | 0.250 | 1.600 |",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --set and --figures for a table"),
        (["--panel", "a:M"], "--panel: give --output"),
        (["--set", "a"], "--set: give --figures"),
        (["--at", "many", "x.json", "--set", "a", "--figures", "M"], "--at many: not a number"),
    ],
)
def test_options(run, capsys, arguments, message):
    with pytest.raises(SystemExit):
        run(*arguments)
    assert message in capsys.readouterr().err
