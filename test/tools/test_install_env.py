"""The set-up takes the ESPnet that runs on the Python it installs into."""

import sys
from pathlib import Path

import pytest

VARIABLES = {
    "--torch": "2.13.0",
    "--torchaudio": "2.11.0",
    "--cuda": "cpu",
    "--use-venv": "1",
}


@pytest.fixture
def install_env(load_tool):
    return load_tool("installers/install_env.py")


def arguments(venv: Path, **changed: str) -> list[str]:
    variables = {**VARIABLES, "--venv": str(venv)}
    variables |= {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    return ["env", *(part for pair in variables.items() for part in pair)]


def write_python(venv: Path, version: str) -> None:
    """A virtual environment of another Python, as far as its version can be asked for."""
    python = venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\necho {version.replace('.', ' ')}\n")
    python.chmod(0o755)


def espnet_of(install_env, *args: str) -> str:
    parsed = install_env.parse_arguments(args)
    return install_env.settings_from(parsed, install_env.version_of_target(parsed)).espnet


def test_a_new_environment_gets_the_espnet_of_the_running_python(install_env, tmp_path):
    expected = "202511" if sys.version_info < (3, 12) else "202611"
    for use_venv in "01":
        args = arguments(tmp_path / "new", use_venv=use_venv)
        assert espnet_of(install_env, *args) == expected


@pytest.mark.parametrize(
    ("version", "espnet"), [("3.11", "202511"), ("3.12", "202611"), ("3.13", "202611")]
)
def test_an_environment_that_is_there_decides(install_env, tmp_path, capsys, version, espnet):
    write_python(tmp_path / "venv", version)
    assert espnet_of(install_env, *arguments(tmp_path / "venv")) == espnet
    other = version != "{}.{}".format(*sys.version_info[:2])
    assert (f"has Python {version} and stays" in capsys.readouterr().out) is other


def test_a_release_that_is_asked_for_is_taken(install_env, tmp_path):
    assert espnet_of(install_env, *arguments(tmp_path / "new", espnet="202301")) == "202301"


def test_a_python_that_no_espnet_runs_on_is_refused(install_env, tmp_path, capsys):
    write_python(tmp_path / "venv", "3.9")
    assert install_env.main(arguments(tmp_path / "venv")) == 1
    assert "This is Python 3.9; ESPnet needs one of 3.11, 3.12, 3.13" in capsys.readouterr().out


def test_a_python_that_does_not_run_has_no_version(install_env, tmp_path):
    broken = tmp_path / "python"
    assert install_env.python_version(str(broken)) is None
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    assert install_env.python_version(str(broken)) is None


def test_torch_is_fixed_at_the_version_that_pip_knows(install_env, tmp_path, monkeypatch):
    """A build with CUDA that calls itself 2.13.0+cu130 is installed as 2.13.0."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("import torch.version\n")
    (tmp_path / "torch/version.py").write_text("__version__, cuda = '2.13.0+cu130', '13.0'\n")
    (tmp_path / "torch-2.13.0.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\n"
    (tmp_path / "torch-2.13.0.dist-info/METADATA").write_text(metadata)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    settings = install_env.settings_from(
        install_env.parse_arguments(arguments(tmp_path, use_venv="0")), (3, 11)
    )
    assert install_env.Installer(settings, runner=None).probe_torch() == ("2.13.0", "13.0")
