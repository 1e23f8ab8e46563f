"""The scripts that train several connectors: what they ask run.sh and the table for."""

import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
COMPARE = REPO / "egs2" / "TEMPLATE" / "ssr1" / "local" / "compare_connectors.sh"
ABLATION = REPO / "egs2" / "asterisk" / "ssr1" / "local" / "ablation.sh"
NOTE_ARGUMENTS = '#!/bin/bash\nprintf "%s|" "$@" >> {log}\necho >> {log}\n'


@pytest.fixture
def recipe(tmp_path):
    """A recipe whose run.sh and python3 only note what they were called with, a line a call."""
    (tmp_path / "local").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "path.sh").write_text(f"PATH={tmp_path}/bin:{REPO}/utils:$PATH\n")
    for name in ("run.sh", "bin/python3"):
        file = tmp_path / name
        file.write_text(NOTE_ARGUMENTS.format(log=tmp_path / f"{file.stem}.log"))
        file.chmod(0o755)
    tuning = tmp_path / "conf" / "tuning"
    tuning.mkdir(parents=True)
    (tuning / "distill_ssr.yaml").touch()
    (tmp_path / "conf" / "distill.yaml").symlink_to("tuning/distill_ssr.yaml")
    return tmp_path


def call(recipe, script, *options):
    """Run a script; the arguments of each call of run.sh and those of the one of python3."""
    # The template's is linked, as it works in the folder of the link; the other is copied.
    file = recipe / "local" / script.name
    if script == COMPARE:
        file.symlink_to(script)
    else:
        file.write_bytes(script.read_bytes())
    subprocess.run(["bash", file, *options], check=True, cwd="/", capture_output=True, text=True)
    runs, tables = (
        [line.rstrip("|").split("|") for line in (recipe / f"{name}.log").read_text().splitlines()]
        for name in ("run", "python3")
    )
    (table,) = tables
    return runs, table


def option(arguments, name):
    """The value of ``--name value`` or ``--name=value``."""
    for i, argument in enumerate(arguments):
        if argument == f"--{name}":
            return arguments[i + 1]
        if argument.startswith(f"--{name}="):
            return argument.removeprefix(f"--{name}=")
    return None


def rows(table):
    """``{name: folders}`` of the rows asked for."""
    found = {}
    for words in " ".join(table).split("--row ")[1:]:
        name, *folders = words.split(" --")[0].split()
        found[name] = folders
    return found


def test_all_connectors_with_a_seed(recipe):
    options = ["--distilled", "ssr cif", "--through_llm", "stack", "--run_args=--aligner char_ctc"]
    (run,), table = call(recipe, COMPARE, *options)
    tuning = "conf/tuning"
    assert option(run, "distill_config") == f"{tuning}/distill_ssr.yaml {tuning}/distill_cif.yaml"
    assert option(run, "lm_config") == f"{tuning}/lm_stack.yaml"
    assert option(run, "distill_tag") == option(run, "lm_tag") == "compare_seed0"
    assert option(run, "distill_args").split() == option(run, "lm_args").split() == ["--seed", "0"]
    assert option(run, "llm_inference") == "true"
    assert run[-2:] == ["--aligner", "char_ctc"]
    assert table[:2] == ["-m", "espnet_ssr.bin.compare_connectors"]
    assert rows(table) == {
        "ssr": ["exp/distill_ssr_compare_seed0"],
        "cif": ["exp/distill_cif_compare_seed0"],
        "stack": ["exp/lm_stack_compare_seed0"],
    }
    assert option(table, "output") == "exp/compare_connectors.md"


def test_the_best_get_more_seeds(recipe):
    options = ["--distilled", "ssr cif", "--through_llm", "stack", "--best", "cif", "--tag", "x"]
    runs, table = call(recipe, COMPARE, *options, "--lm_args=--max_epoch 3")
    asked = [(option(r, "distill_config"), option(r, "lm_config")) for r in runs]
    cif = "conf/tuning/distill_cif.yaml"
    assert (
        asked
        == [(f"conf/tuning/distill_ssr.yaml {cif}", "conf/tuning/lm_stack.yaml")] + [(cif, "")] * 2
    )
    assert [option(r, "lm_args") for r in runs] == [f"--seed {n} --max_epoch 3" for n in range(3)]
    assert rows(table)["cif"] == [f"exp/distill_cif_x_seed{seed}" for seed in range(3)]
    assert rows(table)["ssr"] == ["exp/distill_ssr_x_seed0"]


def test_aligners_in_connectors_are_trained_first(recipe):
    options = ["--distilled", "cif", "--through_llm", "ctc_hull stack", "--run_args=--aligner hmm"]
    (aligner, run), _ = call(recipe, COMPARE, *options)
    assert aligner == ["--stop_stage", "4", "--aligner", "hmm", "--aligner", "token_ctc"]
    assert option(run, "lm_config") == "conf/tuning/lm_ctc_hull.yaml conf/tuning/lm_stack.yaml"


def test_best_must_be_among_the_compared(recipe):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        call(recipe, COMPARE, "--distilled", "ssr cif", "--best", "cifs")
    assert "--best: cifs is none of: ssr cif" in caught.value.stderr
    assert not (recipe / "run.log").exists()


def test_ablation(recipe):
    runs, table = call(recipe, ABLATION, "--seed", "3")
    folders = [folder for found in rows(table).values() for folder in found]
    tags = [option(run, "distill_tag") for run in runs]
    assert folders == [f"exp/distill_ssr_{tag}" for tag in tags]
    assert len(set(tags)) == len(tags) > 9
    # Everything else stays: one seed, one config.
    assert {option(run, "distill_config") for run in runs} == {"conf/distill.yaml"}
    assert all(option(run, "distill_args").startswith("--seed 3 ") for run in runs)
    losses = {tag: option(run, "distill_args") for tag, run in zip(tags, runs, strict=True)}
    assert losses["ablation_mse"] == '--seed 3 --max_epoch 16 --model_conf losses={"mse":1}'
    assert losses["ablation_pool_cross"].endswith(" --connector_conf pooling=cross")
    assert option(table, "baseline") == "default"
    assert "default" in rows(table)
