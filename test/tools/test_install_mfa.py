"""tools/installers/install_mfa.sh with a stand-in for conda: MFA itself is never fetched."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "installers" / "install_mfa.sh"

CONDA = """#!/bin/bash
echo "$@" >> "${0%/*}/calls"
[ -z "${CONDA_FAILS:-}" ] || { mkdir -p "$4/half"; echo "CondaHTTPError"; exit 1; }
mkdir -p "$4/bin"
printf '#!/bin/bash\\necho 3.4.3\\n' > "$4/bin/mfa"
chmod +x "$4/bin/mfa"
"""


@pytest.fixture
def install(tmp_path):
    """A function that calls a copy of the script, so that tools/mfa stays as it is."""
    script = tmp_path / "tools" / "installers" / "install_mfa.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(SCRIPT, script)
    (tmp_path / "bin").mkdir()

    def call(*arguments, conda="micromamba", **variables):
        if conda:
            (tmp_path / "bin" / conda).write_text(CONDA)
            (tmp_path / "bin" / conda).chmod(0o755)
        environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", **variables}
        return subprocess.run(
            ["bash", str(script), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def calls(folder):
    return (folder / "bin" / "calls").read_text().splitlines()


@pytest.mark.parametrize("conda", ["micromamba", "mamba", "conda"])
def test_install(install, tmp_path, conda):
    result = install(conda=conda)
    prefix = tmp_path / "tools" / "mfa"
    assert result.returncode == 0, result.stderr
    assert f"MFA 3.4.3 is in {prefix}" in result.stdout
    assert "mfa model download acoustic english_us_arpa" in result.stdout
    assert calls(tmp_path) == [
        f"create --yes --prefix {prefix} --override-channels --channel conda-forge "
        "montreal-forced-aligner"
    ]


def test_micromamba_is_preferred(install, tmp_path):
    (tmp_path / "bin" / "conda").write_text("#!/bin/bash\nexit 9\n")
    (tmp_path / "bin" / "conda").chmod(0o755)
    assert "with micromamba" in install().stdout


def test_what_is_there_is_kept_unless_another_version_is_asked_for(install, tmp_path):
    install()
    assert "MFA 3.4.3 is already in" in install().stdout
    assert "MFA 3.4.3 is already in" in install("3.4.3").stdout
    assert len(calls(tmp_path)) == 1
    install("3.2.0")
    assert calls(tmp_path)[1].endswith(" montreal-forced-aligner=3.2.0")


def test_what_an_interrupted_run_left_is_replaced(install, tmp_path):
    (tmp_path / "tools" / "mfa" / "half").mkdir(parents=True)
    assert install().returncode == 0
    assert not (tmp_path / "tools" / "mfa" / "half").exists()


def test_unreachable_network(install, tmp_path):
    result = install(CONDA_FAILS="1")
    assert result.returncode == 1
    assert "install_mfa.sh: error: micromamba could not install montreal-forced" in result.stderr
    assert "behind a firewall, set a proxy" in result.stderr
    assert not (tmp_path / "tools" / "mfa").exists()


def test_without_conda(install):
    result = install(conda=None)
    assert result.returncode == 1
    assert "no micromamba, mamba or conda on PATH" in result.stderr
