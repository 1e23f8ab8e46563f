"""local/data.sh of egs2/vocab: options that it refuses before anything is made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hours", "3h"], "--hours must be a number, not '3h'"),
        (["--hours", "0"], "--hours must be above 0, --real_percent and --slow_percent below 100"),
        (["--slow_percent", "100"], "--hours must be above 0, --real_percent and"),
        (["--real_percent", "-5"], "--real_percent must be a number, not '-5'"),
        (["--transcript", "lower"], "--transcript is natural or normalized, not lower"),
    ],
)
def test_mistakes_are_named(tmp_path, options, message):
    path = [str(Path(sys.executable).parent), str(REPO / "utils"), os.environ["PATH"]]
    result = subprocess.run(
        ["bash", REPO / "egs2" / "vocab" / "ssr1" / "local" / "data.sh", *options],
        cwd=tmp_path,
        env={"PATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"local/data.sh: {message}")
    assert not list(tmp_path.iterdir())
