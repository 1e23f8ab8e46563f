"""utils/split_scp.py: contiguous, even pieces."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

UTILS = Path(__file__).parents[2] / "utils"
sys.path.insert(0, str(UTILS))
from split_scp import split_evenly


def split(*args):
    """Run the command."""
    command = [sys.executable, UTILS / "split_scp.py", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@given(st.lists(st.binary()), st.integers(1, 40))
def test_pieces_are_contiguous_and_even(lines, num_pieces):
    pieces = split_evenly(lines, num_pieces)
    assert len(pieces) == num_pieces
    assert [line for piece in pieces for line in piece] == lines
    sizes = [len(piece) for piece in pieces]
    assert max(sizes) - min(sizes) <= 1


def test_files(tmp_path):
    source = tmp_path / "wav.scp"
    source.write_bytes(b"a 1\nb \xff\nc 3")
    outputs = [tmp_path / "1", tmp_path / "2"]
    assert split(source, *outputs).returncode == 0
    assert [path.read_bytes() for path in outputs] == [b"a 1\nb \xff\n", b"c 3\n"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "wav.scp"]


def test_too_few_lines(tmp_path):
    source = tmp_path / "text"
    source.write_text("a 1\n")
    outputs = [tmp_path / "1", tmp_path / "2"]
    result = split(source, *outputs)
    assert result.returncode == 1
    assert "has 1 lines, too few for 2 pieces" in result.stderr
    assert not outputs[0].exists()
    assert split("--allow-empty", source, *outputs).returncode == 0
    assert [path.read_text() for path in outputs] == ["a 1\n", ""]


@pytest.mark.parametrize("args", [["none", "out"], ["--no-such-option"]])
def test_wrong_calls(tmp_path, args):
    result = split(*args)
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr
