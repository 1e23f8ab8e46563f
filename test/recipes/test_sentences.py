"""Sentences for synthetic speech: what is taken out of HellaSwag, and which set it goes to."""

import bz2
import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.sentences import (
    plain_sentences,
    prose_sentences,
    read_hellaswag,
    set_of,
    split_sentences,
)
from espnet_ssr.text import normalize_text

LOCAL = Path(__file__).resolve().parents[2] / "egs2" / "libri_synth" / "ssr1" / "local"


def item(context):
    """An item of the text format."""
    return f"{context}\n2\nends.\nstops.\ngoes on.\nsleeps.\n"


@pytest.mark.parametrize("name", ["val.txt", "val.txt.bz2"])
def test_contexts_are_read(tmp_path, name):
    text = (item("Canoeing: A man rows. he") + item("[header] How to rest")).encode()
    path = tmp_path / name
    path.write_bytes(bz2.compress(text) if name.endswith("bz2") else text)
    assert read_hellaswag(path) == ["Canoeing: A man rows. he", "[header] How to rest"]


@pytest.mark.parametrize("text", ["", "A line.\n", item("A context").replace("2", "right")])
def test_other_format_is_refused(tmp_path, text):
    path = tmp_path / "val.txt"
    path.write_text(text)
    with pytest.raises(CorpusError, match=f"{path}: not HellaSwag's text format"):
        read_hellaswag(path)


def test_damaged_file_is_named(tmp_path):
    path = tmp_path / "val.txt.bz2"
    path.write_bytes(bz2.compress(item("A context").encode())[:-8])
    with pytest.raises(CorpusError, match=f"{path}: "):
        read_hellaswag(path)


def test_prose_is_cut_into_sentences_as_they_are_read():
    text = """Mr. J. Smith came in 1984
with 12 dogs. "Where is he?" asked
everybody in the room. "Nobody knows where," said Ann.

Nobody knows where said Ann. No. See x^2 + 3 = 4 for more.
"""
    sentences, dropped = prose_sentences(text)
    assert [normalize_text(sentence) for sentence in sentences] == [
        "mister j smith came in nineteen eighty four with twelve dogs",
        "where is he asked everybody in the room",
        "nobody knows where said ann",
    ]
    assert dropped == {"too_short": 1, "again": 1, "formula": 1}


def test_whole_plain_sentences_are_taken_once():
    contexts = [
        "Roof: A man sits on a roof. He's pulling, slowly, at the tiles! There he",
        "[header] How to bake a cake [title] Preheat the well-known oven. [step] Use 2 eggs now.",
        "A man sits on a roof? He (the man) stands up there. He stands. Then he",
    ]
    assert list(plain_sentences(contexts)) == [
        "A man sits on a roof.",
        "He's pulling, slowly, at the tiles!",
        "Preheat the well-known oven.",
    ]


@given(st.lists(st.text("ab c.", max_size=8)))
def test_same_words_are_never_in_two_sets(sentences):
    sets = split_sentences(sentences)
    assert Counter(sum(sets.values(), [])) == Counter(sentences)
    words = {name: set(map(normalize_text, found)) for name, found in sets.items()}
    assert not words["train"] & words["test"] | words["train"] & words["valid"]
    assert not words["valid"] & words["test"]


def test_shares_of_the_sets():
    words = itertools.product("abcdefghij", repeat=3)
    count = Counter(set_of(" ".join(letters)) for letters in words)
    assert count["test"] == pytest.approx(50, abs=20)
    assert count["valid"] == pytest.approx(50, abs=20)


@pytest.mark.parametrize(
    ("name", "command"),
    [("make_text", [LOCAL / "make_text.py"]), ("split_text", ["-m", "espnet_ssr.bin.split_text"])],
)
def test_commands_name_a_file_that_is_no_text(tmp_path, name, command):
    path = tmp_path / "text"
    path.write_bytes(b"\xff\n")
    command = [sys.executable, *command, path, tmp_path / "made"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{name}: error: {path}: ")
    assert not (tmp_path / "made").exists()
