"""Pieces of text: any file, the stated ratio, whole lines at the start, the tokenizer's start."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_causal_lm import make_tokenizer

from espnet_ssr.data.preprocess import PrepareExample
from espnet_ssr.data.replay import TextReplay


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(0)


def write(folder, text):
    (folder / "text").write_bytes(text)
    return str(folder / "text")


def test_pieces_begin_with_a_line_and_run_on(tmp_path):
    tokenizer = make_tokenizer(start=True)
    replay = TextReplay(write(tmp_path, b"ab\ncdef\ng"), tokenizer, ratio=2.0, length=4)
    found = {tokenizer.decode(replay.draw(2)) for _ in range(100)}
    assert found == {"<s>ab\n", "<s>cde", "<s>g"}


@given(tokens=st.integers(1, 40), ratio=st.floats(0.1, 3.0), length=st.integers(2, 30))
def test_ratio(tmp_path_factory, tokens, ratio, length):
    path = write(tmp_path_factory.mktemp("text"), b"abcdefghijklmnopqrstuvwxyz" * 20 + b"\n")
    replay = TextReplay(path, make_tokenizer(start=False), ratio, length)
    drawn = [len(replay.draw(tokens)) for _ in range(200)]
    assert set(drawn) <= {0, max(length, round(ratio * tokens))}
    expected = ratio * tokens
    deviation = np.sqrt(expected * max(length, expected) / 200)
    assert np.mean(drawn) == pytest.approx(expected, abs=5 * deviation + 0.5)


def test_cut_characters_and_damaged_text_are_left_out(tmp_path):
    path = write(tmp_path, "€".encode() * 99 + b"\xff\xfe\n")
    replay = TextReplay(path, make_tokenizer(start=False), ratio=9.0, length=3)
    assert make_tokenizer(start=False).decode(replay.draw(1)) == "€" * 3


@pytest.mark.parametrize("content", [None, b""])
def test_a_file_without_text_is_refused(tmp_path, content):
    path = tmp_path / "text"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="replay_conf: file: .*text: no such file, or nothing"):
        TextReplay(str(path), make_tokenizer(start=False))


def test_examples_get_text(tmp_path):
    tokenizer = make_tokenizer(start=False)
    replay = TextReplay(write(tmp_path, b"abcdefgh\n"), tokenizer, ratio=4.0, length=8)
    example = {"token_id": np.array([1, 2]), "feats": np.zeros((9, 2), dtype=np.float32)}
    found = PrepareExample(50.0, 16000, replay=replay)("a", example)
    assert found["replay_id"].tolist() == tokenizer("abcdefgh").input_ids
    assert "replay_id" not in PrepareExample(50.0, 16000)("a", example)
