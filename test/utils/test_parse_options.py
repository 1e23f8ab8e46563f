"""utils/parse_options.sh, sourced by a small recipe."""

import subprocess
from pathlib import Path

import pytest

PARSE_OPTIONS = Path(__file__).parents[2] / "utils" / "parse_options.sh"
RECIPE = f"""\
set -euo pipefail
stage=1
stop_stage=100
skip_train=false
train_args=
name=plain
help_message="Usage: recipe [--stage N]"
. {PARSE_OPTIONS}
printf '%s|' "$stage" "$stop_stage" "$skip_train" "$train_args" "$name" "$@"
"""
DEFAULTS = ["1", "100", "false", "", "plain"]


@pytest.fixture
def run_recipe(tmp_path):
    """Return a function that runs the recipe with arguments, in a folder of its own."""
    script = tmp_path / "recipe.sh"
    script.write_text(RECIPE)

    def run(*args):
        return subprocess.run(
            ["bash", script, *args], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run


def values(result):
    """Return the variables and positional arguments that the recipe printed."""
    assert result.returncode == 0, result.stderr
    return result.stdout.split("|")[:-1]


def fails_with(result, *parts):
    """Check that the recipe ended with 1 and one line that holds `parts`."""
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("recipe.sh: ")
    for part in parts:
        assert part in result.stderr


def test_defaults_stay(run_recipe):
    assert values(run_recipe()) == DEFAULTS


@pytest.mark.parametrize(
    "args",
    [
        ["--stop_stage", "5"],
        ["--stop-stage", "5"],
        ["--stop_stage=5"],
        ["--stop-stage=5"],
        ["--stop-stage", "7", "--stop_stage", "5"],
    ],
)
def test_spellings(run_recipe, args):
    assert values(run_recipe(*args)) == ["1", "5", *DEFAULTS[2:]]


def test_positional_arguments_are_left(run_recipe):
    assert values(run_recipe("--stage", "2", "a b", "--stage", "3")) == [
        *["2", *DEFAULTS[1:]],
        *["a b", "--stage", "3"],
    ]
    assert values(run_recipe("--", "--stage")) == [*DEFAULTS, "--stage"]


@pytest.mark.parametrize("value", ["", "a b", "--lr 1 --x=2", "--max_epoch", "$(id) `id` *", "a=b"])
def test_value_is_taken_as_it_is(run_recipe, value):
    for args in (["--train_args", value], [f"--train-args={value}"]):
        assert values(run_recipe(*args))[3] == value


def test_booleans_are_checked(run_recipe):
    assert values(run_recipe("--skip_train", "true"))[2] == "true"
    fails_with(run_recipe("--skip-train", "yes"), "--skip-train", "true or false", "yes")


@pytest.mark.parametrize("args", [["--stage"], ["--skip_train", "--stage", "3"], ["--config"]])
def test_missing_value(run_recipe, args):
    fails_with(run_recipe(*args), args[0], "needs a value")


def test_unknown_option(run_recipe):
    fails_with(run_recipe("--stop-stge", "3"), "--stop-stge", "did you mean --stop_stage?")
    fails_with(run_recipe("--stgae=3"), "--stgae", "did you mean --stage?")
    result = run_recipe("--bananas", "3")
    fails_with(result, "unknown option --bananas")
    assert "did you mean" not in result.stderr
    fails_with(run_recipe("-s", "3"), "-s")


@pytest.mark.parametrize("name", ["PATH", "IFS", "help_message", "po_option", "a[$(id)]", ""])
def test_only_options_of_the_script_are_set(run_recipe, name):
    fails_with(run_recipe(f"--{name}=x"), "unknown option")


def test_help(run_recipe):
    result = run_recipe("--stage", "3", "--help")
    assert (result.returncode, result.stdout) == (0, "Usage: recipe [--stage N]\n")


def test_config_is_read_and_not_run(run_recipe, tmp_path):
    lines = ["# comment", "", "stage=4", "name='a $(touch hacked) b'  ", "train-args="]
    (tmp_path / "ok.conf").write_text("\n".join(lines))
    assert values(run_recipe("--config", "ok.conf", "--stop-stage", "6")) == [
        *["4", "6", "false", "", "a $(touch hacked) b"]
    ]
    assert not (tmp_path / "hacked").exists()
    assert values(run_recipe("--config=ok.conf", "--stage", "9"))[0] == "9"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("stage 4\n", "line 1: not name=value"),
        ("stage=1\nstgae=4\n", "line 2: unknown option --stgae, did you mean --stage?"),
        ("skip_train=1", "line 1: --skip_train must be true or false"),
    ],
)
def test_damaged_config(run_recipe, tmp_path, content, message):
    (tmp_path / "bad.conf").write_text(content)
    fails_with(run_recipe("--config", "bad.conf"), "bad.conf", message)


def test_missing_config(run_recipe):
    fails_with(run_recipe("--config", "none.conf"), "cannot read none.conf")
