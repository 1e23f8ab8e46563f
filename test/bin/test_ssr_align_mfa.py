"""scripts/mfa.sh finds MFA wherever it is, and ssr_align_mfa checks its options."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ssr.align.alignment import read_ctm

REPO = Path(__file__).resolve().parents[2]
PROGRAM = f"{sys.executable} {REPO / 'test' / 'align' / 'standin_mfa.py'}"
MFA_SH = REPO / "egs2" / "TEMPLATE" / "ssr1" / "scripts" / "mfa.sh"
needs_no_mfa = pytest.mark.skipif(
    (REPO / "tools" / "mfa").exists(), reason="there is a real MFA in tools/mfa"
)


@pytest.fixture
def folder(tmp_path):
    """A data directory with one utterance, a dictionary, a model, and a folder for programs."""
    (tmp_path / "one.dict").write_text("one W AH N\n")
    (tmp_path / "model.zip").write_text("W AH N")
    soundfile.write(tmp_path / "a.wav", np.full(16000, 0.1), 16000)
    (tmp_path / "data").mkdir()
    for name, value in {"wav.scp": tmp_path / "a.wav", "text": "one", "utt2spk": "s"}.items():
        (tmp_path / "data" / name).write_text(f"a {value}\n")
    (tmp_path / "my bin").mkdir()
    return tmp_path


def run(folder, command, conf, **variables):
    arguments = ["--data_dir", "data", "--output_dir", "align", "--nj", "2", "--mfa_options", conf]
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def mfa_sh(folder):
    """A function that calls the script, with the folder for programs first on PATH."""
    if not (REPO / "tools" / "activate_python.sh").is_file():
        pytest.skip("no tools/activate_python.sh: run 'make -C tools'")

    def call(**variables):
        path = f"{folder / 'my bin'}:/usr/bin:/bin"
        conf = "dictionary=one.dict acoustic_model=model.zip"
        return run(folder, ["bash", str(MFA_SH)], conf, PATH=path, PYTHONPATH="", **variables)

    return call


def make_program(path, code):
    path.write_text(f"#!/bin/bash\n{code}\n")
    path.chmod(0o755)


@needs_no_mfa
def test_without_mfa(mfa_sh):
    result = mfa_sh()
    assert result.returncode == 1
    assert "mfa.sh: error: no MFA on PATH, in tools/mfa or in a conda env" in result.stderr
    assert "run tools/installers/install_mfa.sh" in result.stderr


@needs_no_mfa
@pytest.mark.parametrize("name", ["mfa", "aligner"])
def test_conda_environment(folder, mfa_sh, name):
    code = f'[ "$1 $2 $3 $4" = "run -n {name} mfa" ] && shift 4 && exec {PROGRAM} "$@"'
    make_program(folder / "my bin" / "conda", code)
    result = mfa_sh()
    assert "calling conda, which writes to align/mfa.log\nalign: aligned 1 of 1" in result.stdout
    assert [s.label for s in read_ctm(folder / "align" / "word.ctm")["a"].spans] == ["one"]


def test_mfa_on_path(folder, mfa_sh):
    make_program(folder / "my bin" / "mfa", f'exec {PROGRAM} "$@"')
    result = mfa_sh()
    assert f"calling {folder}/my bin/mfa, which" in result.stdout
    assert "aligned 1 of 1" in result.stdout


def test_mfa_that_the_user_names(mfa_sh):
    result = mfa_sh(MFA=f"env X=1 {PROGRAM}")
    assert "calling env, which" in result.stdout and "aligned 1 of 1" in result.stdout


@pytest.mark.parametrize("conf", ["dictionary=one.dict bem=3", "acoustic_models=model.zip"])
def test_misspelt_options_are_refused(folder, conf):
    command = [sys.executable, "-m", "espnet_ssr.bin.ssr_align_mfa", "--mfa", PROGRAM]
    result = run(folder, command, conf, PYTHONPATH=str(REPO))
    assert result.returncode == 1
    assert "ssr_align_mfa: error: mfa_options: unknown option" in result.stderr
    assert not (folder / "align").exists()
