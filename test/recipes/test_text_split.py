"""Splitting by text: no near copies across sets, whatever the order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.recipes.text_split import group_near_copies, is_near_copy, split_by_text

WORDS = st.lists(
    st.sampled_from(["press", "one", "two", "to", "call", "the"]), min_size=1, max_size=9
)
CORPORA = st.lists(WORDS, max_size=25).map(
    lambda sentences: {f"u{index:02}": " ".join(words) for index, words in enumerate(sentences)}
)


@given(
    texts=CORPORA, seed=st.integers(0, 99), num_valid=st.integers(0, 5), num_test=st.integers(0, 5)
)
def test_split_by_text(texts, seed, num_valid, num_test):
    split = split_by_text(texts, num_valid, num_test)
    assert sorted(split.train + split.valid + split.test) == sorted(texts)
    assert len(split.valid) <= num_valid
    assert len(split.test) <= num_test
    assert all(len(texts[utt_id].split()) >= 3 for utt_id in split.valid + split.test)
    sets = [[texts[utt_id].split() for utt_id in utt_ids] for utt_ids in split]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not any(is_near_copy(a, b) for a in sets[first] for b in sets[second])
    shuffled = list(texts.items())
    random.Random(seed).shuffle(shuffled)
    assert split_by_text(dict(shuffled), num_valid, num_test) == split


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("one", "one", True),
        ("one", "two", False),
        ("the conference is now locked", "the conference is now muted", True),
        ("press the pound key", "to end the call hang up or press the pound key now", True),
        ("the pound key", "to end the call hang up or press the pound key now", False),
        ("press the pound key", "to end the call hang up or press the pound keys", False),
        ("press one to accept this call", "press four for the previous message", False),
    ],
)
def test_near_copies(a, b, expected):
    assert is_near_copy(a.split(), b.split()) is expected
    assert is_near_copy(b.split(), a.split()) is expected


def test_groups_are_transitive():
    texts = {"u3": "a b c d e", "u1": "a b c d f", "u2": "x y", "u4": "z a b c d e"}
    assert group_near_copies(texts) == [["u1", "u3", "u4"], ["u2"]]


# Of few words, so that copies of copies that are no copies themselves are common.
@given(counts=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), max_size=12))
def test_groups_are_connected_components(counts):
    texts = {f"u{i:02}": "one " * ones + "two " * twos for i, (ones, twos) in enumerate(counts)}
    groups = group_near_copies(texts)
    assert sorted(utt_id for group in groups for utt_id in group) == sorted(texts)
    words = {utt_id: text.split() for utt_id, text in texts.items()}
    for group in groups:
        reached, new = set(), {group[0]}
        while new:
            reached |= new
            new = {b for a in new for b in texts if is_near_copy(words[a], words[b])} - reached
        assert sorted(reached) == group
