"""Sentences by token coverage: the lazy choice is the plain greedy one; words held out."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.coverage import (
    count_classes,
    draw_held_out,
    group_by_spelling,
    measure_coverage,
    select_by_coverage,
    select_test,
)

SENTENCES = st.lists(st.lists(st.integers(0, 6), max_size=5), max_size=12)
COUNTS = st.dictionaries(st.integers(0, 6), st.integers(0, 3))


def plain_greedy(tokens, wanted, counts):
    """All gains are computed for each choice."""
    counts, left, chosen = Counter(counts), [i for i, ids in enumerate(tokens) if ids], []
    while len(chosen) < wanted:
        best = max(
            left, key=lambda i: (sum(1 / (1 + counts[t]) for t in tokens[i]) / len(tokens[i]), -i)
        )
        left.remove(best)
        chosen.append(best)
        counts.update(tokens[best])
    return chosen


@given(SENTENCES, COUNTS, st.integers(0, 12))
def test_lazy_choice_is_the_greedy_one(tokens, counts, wanted):
    usable = sum(map(bool, tokens))
    if wanted > usable:
        with pytest.raises(CorpusError, match="too little text"):
            select_by_coverage(tokens, [1] * len(tokens), wanted, counts)
        return
    chosen = select_by_coverage(tokens, [1] * len(tokens), wanted, counts)
    assert chosen == plain_greedy(tokens, wanted, counts)


@given(SENTENCES, st.floats(0, 3), st.floats(0, 3))
def test_less_is_the_beginning_of_more(tokens, first, second):
    tokens = [ids for ids in tokens if ids] + [[0]] * 6
    amounts = [0.5 + len(ids) / 10 for ids in tokens]
    less, more = (select_by_coverage(tokens, amounts, w) for w in sorted((first, second)))
    assert more[: len(less)] == less
    total = sum(amounts[index] for index in less)
    assert total >= min(first, second)
    assert not less or total - amounts[less[-1]] < min(first, second)


def test_new_tokens_come_first():
    assert select_by_coverage([[1, 1, 2], [1, 2], [3]], [1] * 3, 2, {3: 9}) == [0, 1]


def test_tokens_of_a_word_in_any_case_are_one_group():
    spellings = {1: " cat", 2: "Cat", 3: " CAT", 4: ".", 5: " a1", 6: "ing", 7: " Dog"}
    assert group_by_spelling(spellings) == {"cat": [1, 2, 3], "dog": [7]}


def test_words_of_real_training_are_never_held_out():
    groups = {word: [index] for index, word in enumerate(["cat", "dog", "cow", "ox", "pig", "hen"])}
    pool = {0: 5, 1: 5, 2: 5, 3: 5, 4: 1000, 5: 1}
    drawn = draw_held_out(groups, pool, real={0: 1}, test=[], number=9)
    assert drawn == ["cow", "dog"]  # ox is short, pig too frequent, hen too rare
    assert draw_held_out(groups, pool, {}, test=[4], number=1, test_share=1.0) == ["pig"]


def test_half_of_the_test_has_words_held_out():
    tokens = [[1], [2, 9], [3], [9, 9], [8], [4], [9, 8]]
    assert select_test(tokens, {8, 9}, 4) == [1, 4, 0, 2]
    assert select_test(tokens, set(), 2) == [0, 1]


@given(st.dictionaries(st.integers(0, 9), st.integers(1, 200)), COUNTS)
def test_classes_share_out_all_tokens(training, text):
    classes = count_classes(training, text)
    assert sorted(sum(classes.values(), [])) == sorted(text)
    coverage = measure_coverage(Counter(text), training)
    assert coverage.tokens == sum(text.values())
    assert sum(coverage.shares.values()) == pytest.approx(1 if coverage.tokens else 0)


def test_coverage_of_a_text():
    coverage = measure_coverage({1: 2, 2: 1, 3: 1, 4: 4}, {1: 9, 2: 10, 3: 100})
    assert coverage.shares == {"0": 0.5, "1-9": 0.25, "10-99": 0.125, "100+": 0.125}
    assert coverage.seen_types == 0.75
