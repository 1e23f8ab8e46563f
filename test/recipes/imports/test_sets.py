"""Which utterances valid and test get, and what is written and said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import write_tone

from espnet_ssr.datadir import Utterance, read_keyed
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports import sets
from espnet_ssr.recipes.imports.collect import Imported
from espnet_ssr.recipes.imports.sets import (
    choose_groups,
    group_utterances,
    split_train,
    write_parts,
)


def make_utterances(numbers, text="s{speaker}x n{number}"):
    """So many utterances of each speaker."""
    return {
        f"s{speaker}-{number}": Utterance(
            "a.wav", text.format(speaker=speaker, number=number), f"s{speaker}", 1.0
        )
        for speaker, count in enumerate(numbers)
        for number in range(count)
    }


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.randoms())
def test_sets_share_nothing_and_do_not_depend_on_the_order(numbers, random):
    utterances = make_utterances(numbers)
    if len(utterances) < 4:
        return
    shares = {"valid": 0.1, "test": 0.2}
    try:
        split = split_train(utterances, shares)
    except CorpusError:
        return
    assert sorted(sum(split.values(), [])) == sorted(utterances)
    shuffled = list(utterances.items())
    random.shuffle(shuffled)
    assert split_train(dict(shuffled), shares) == split
    if len(numbers) >= 12:
        speakers = [{utt_id.split("-")[0] for utt_id in ids} for ids in split.values()]
        assert len(set.union(*speakers)) == sum(map(len, speakers))


@pytest.mark.parametrize("max_compared", [0, 5000])
def test_of_few_speakers_equal_texts_stay_together(monkeypatch, max_compared):
    monkeypatch.setattr(sets, "MAX_COMPARED", max_compared)
    groups = group_utterances(make_utterances([50, 50], text="{number}"))
    assert sorted(groups.values()) == sorted([f"s0-{n}", f"s1-{n}"] for n in range(50))
    assert len(choose_groups(groups, 10)) == 5


def test_near_copies_stay_together():
    texts = ["press {} to hear the message", "the {} bird sings", "nothing like them at all"]
    utterances = {
        f"a-{number}{word}": Utterance("a.wav", text.format(word), "a", 1.0)
        for number, text in enumerate(texts)
        for word in ("one", "two")
    }
    groups = group_utterances(utterances)
    assert [len(ids) for ids in groups.values()] == [2, 2, 2]


def test_a_group_with_too_much_stays_in_train():
    groups = group_utterances(make_utterances([1000] + [5] * 11))
    assert "s0" not in choose_groups(groups, 10)
    groups = group_utterances(make_utterances([30] * 10 + [20]))
    assert choose_groups(groups, 5) == ["s10"]


def test_too_few_are_refused():
    with pytest.raises(CorpusError, match="2 utterances are too few.*valid 0.05, test 0.05"):
        split_train(make_utterances([2]), {"valid": 0.05, "test": 0.05})


@pytest.fixture
def imported(tmp_path):
    """Four utterances, one of them with digits, and one that cannot be used."""
    part = Imported()
    wav = write_tone(tmp_path / "a.wav")
    for number, text in enumerate(["one", "two", "three", "call 4"]):
        part.add_file(f"a-{number}", text, wav, "a")
    part.add_file("a-x", "", wav, "a")
    return part


def test_what_is_written_and_said(imported, tmp_path):
    said = write_parts({"train": imported}, "source", tmp_path / "data", {"valid": 0.3, "test": 0})
    assert said.splitlines()[:2] == [
        f"{tmp_path}/data/train: 3 utterances, 1 speakers, 0.00 hours",
        f"{tmp_path}/data/valid: 1 utterances, 1 speakers, 0.00 hours",
    ]
    assert "left out 1: 1 empty_text\n    empty_text, e.g. ''\n" in said
    assert "note: 1 texts have digits" in said
    assert list(read_keyed(tmp_path / "data" / "train" / "dropped")) == ["a-x"]


def test_parts_are_kept_and_only_missing_sets_are_taken(imported, tmp_path):
    parts = {"train": imported, "test": imported}
    write_parts(parts, "source", tmp_path, {"valid": 0.25, "test": 0.25})
    sizes = {name: len(read_keyed(tmp_path / name / "text")) for name in ("train", "valid", "test")}
    assert sizes == {"train": 3, "valid": 1, "test": 4}


def test_a_part_with_nothing_usable_writes_nothing(imported, tmp_path):
    empty = Imported()
    empty.drop("a-1", "no_text", "a.wav has no a.txt")
    with pytest.raises(CorpusError, match="source: test: no utterance can be used; .*1 no_text"):
        write_parts({"train": imported, "test": empty}, "source", tmp_path / "data", {})
    assert not (tmp_path / "data").exists()
