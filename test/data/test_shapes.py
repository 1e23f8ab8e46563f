"""Shape files as arrays: what ESPnet reads of them, and errors by file and line."""

import re

import numpy as np
import pytest
from espnet2.fileio.read_text import load_num_sequence_text
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.data import shapes
from espnet_ssr.data.shapes import read_matching_shapes, read_shapes

NAMES = st.lists(st.text("ab-é1", min_size=1, max_size=9), min_size=1, max_size=20, unique=True)


@given(names=NAMES, width=st.sampled_from(["", ",80", ",4,3"]), data=st.data())
def test_what_espnet_reads(tmp_path_factory, names, width, data):
    lengths = data.draw(st.lists(st.integers(0, 10**9), min_size=len(names), max_size=len(names)))
    path = tmp_path_factory.mktemp("shapes") / "shape"
    lines = [f"{name} {length}{width}" for name, length in zip(names, lengths, strict=True)]
    path.write_text("\n".join(lines) + data.draw(st.sampled_from(["", "\n"])))
    expected = load_num_sequence_text(str(path), loader_type="csv_int")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "CHUNK", 25)
        found = read_shapes(path)
    assert [found.utt_id(row) for row in range(len(found))] == [*expected]
    assert found.lengths.tolist() == [shape[0] for shape in expected.values()]
    assert found.width == np.prod([*expected.values()][0][1:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1\nb\nc 2\n", "shape:2: 'b': not 'utt length': run stage 7 again"),
        ("a 1\nb x\n", "shape:2: 'b x': not 'utt length'"),
        ("a 1\nb -1\n", "shape:2: 'b -1': not 'utt length'"),
        ("a 1\n\nb 1\n", "shape:2: '': not 'utt length'"),
        ("a 1\nb \n", "shape:2: 'b ': not 'utt length'"),
        ("a 1\nb 1 2\n", "shape:2: 'b 1 2': not 'utt length'"),
        ("a 1,8\nb 2,80\n", "shape:2: 'b 2,80': not of width 8"),
        ("a 1,8\nb 2,9\n", "shape:2: 'b 2,9': not of width 8"),
        ("a 1,8\nb 2\n", "shape:2: 'b 2': not of width 8"),
        ("a 1\nb 2,9\n", "shape:2: 'b 2,9': not of width none"),
        ("a 1\nb 2\nc 3\na 4\n", "shape:4: duplicate key a"),
        ("", "shape: there is nothing in it"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, monkeypatch, text, message):
    monkeypatch.setattr(shapes, "CHUNK", 4)
    (tmp_path / "shape").write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_shapes(tmp_path / "shape")


@pytest.mark.parametrize(
    ("other", "line"),
    [("a 1\nc 1\nb 1\n", 2), ("a 1\nb 1\n", 3), ("a 1\nb 1\nc 1\nd 1\n", 4)],
)
def test_files_must_be_of_the_same_utterances(tmp_path, other, line):
    (tmp_path / "one").write_text("a 1,2\nb 1,2\nc 1,2\n")
    (tmp_path / "other").write_text(other)
    with pytest.raises(ValueError, match=rf"other:{line}: not the utterances of .*one in the same"):
        read_matching_shapes([tmp_path / "one", tmp_path / "other"])
