"""check_install.py names what is missing and the command that mends it."""

import json
import sys
from pathlib import Path

import pytest


@pytest.fixture
def check(load_tool, monkeypatch):
    module = load_tool("check_install.py")
    monkeypatch.setattr(module, "describe_gpu", dict)
    monkeypatch.setattr(module, "PROGRAMS", ())
    monkeypatch.setattr(module, "SET_UP_STAMP", Path(__file__))
    return module


def use_modules(check, monkeypatch, *modules):
    monkeypatch.setattr(check, "MODULES", modules)


def test_all_there(check, monkeypatch, capsys):
    use_modules(check, monkeypatch, check.Module("json", "no-such-distribution"))
    assert check.main(["--skip-models"]) == 0
    assert "Everything required is there." in capsys.readouterr().out


def test_missing_module_is_named_with_its_command(check, monkeypatch, capsys):
    use_modules(check, monkeypatch, check.Module("no_such_module", "no-such-package"))
    assert check.main(["--skip-models"]) == 1
    out = capsys.readouterr().out
    assert "MISSING" in out
    assert "ModuleNotFoundError" in out
    fix = next(line for line in out.splitlines() if "to mend it" in line)
    assert sys.executable in fix
    assert fix.endswith(" no-such-package")
    assert "--no-deps" in fix


@pytest.mark.parametrize(
    ("special", "problem"),
    [(True, "OSError: libcudart"), (False, "ModuleNotFoundError: No module named 'other'")],
)
def test_what_pip_cannot_mend_by_name_is_left_to_the_set_up(check, special, problem):
    module = check.Module("name", "dist", special=special)
    assert " env FORCE=1" in check.fixing_command(module, problem)


def test_unfinished_set_up_is_to_be_finished_first(check, monkeypatch, tmp_path):
    monkeypatch.setattr(check, "SET_UP_STAMP", tmp_path / "absent")
    command = check.fixing_command(check.Module("name", "dist"), "ModuleNotFoundError: ...")
    assert command.endswith(" env")


def test_missing_optional_module_does_not_fail(check, monkeypatch, capsys):
    use_modules(check, monkeypatch, check.Module("no_such_module", "x", required=False))
    assert check.main(["--skip-models"]) == 0
    assert "missing (optional)" in capsys.readouterr().out


def test_module_that_kills_python_is_reported_and_the_next_one_tried(
    check, monkeypatch, tmp_path, capsys
):
    (tmp_path / "deadly.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    modules = [check.Module(name, "x") for name in ("json", "deadly", "csv")]
    findings = check.check_modules(modules)
    assert [bool(finding.found) for finding in findings] == [True, False, True]
    assert "ends Python" in findings[1].problem
    assert findings[1].fix


def test_module_that_prints_does_not_disturb_the_report(check, monkeypatch, tmp_path):
    (tmp_path / "chatty.py").write_text("print('hello')\n__version__ = '1.2'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (finding,) = check.check_modules([check.Module("chatty", "no-such-distribution")])
    assert (finding.found, finding.problem) == ("1.2", "")


def test_json_for_machines(check, monkeypatch, capsys):
    use_modules(check, monkeypatch, check.Module("no_such_module", "x"))
    assert check.main(["--json", "--skip-models"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["free_disk_gb"] > 0
    assert report["findings"][0]["name"] == "no_such_module"


def test_missing_program_and_missing_models_are_problems(check, tmp_path):
    (program,) = check.check_programs(["no-such-program"])
    assert program.found is None
    assert program.fix.endswith("no-such-program")
    models = check.check_models(tmp_path)
    assert models
    assert all(model.fix.endswith(" models") for model in models)


def test_model_folder_counts_only_when_whole(check, tmp_path):
    store = check.model_store
    name = next(iter(store.MODELS))
    with store.new_model_folder(name, tmp_path) as folder:
        (folder / "model.safetensors").write_bytes(b"weights")
        store.publish(name, folder, tmp_path, {"summary": "proved"})
    assert store.is_finished(name, tmp_path)
    assert "proved" in store.summary(name, tmp_path)
    (tmp_path / name / "model.safetensors").write_bytes(b"half")
    assert not store.is_finished(name, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
