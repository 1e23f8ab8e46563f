"""Accuracies by hand, McNemar's test against scipy's binomial one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from espnet_ssr.evaluate.choice.answer import Answer, Candidate
from espnet_ssr.evaluate.choice.statistics import changed_items, compare, mcnemar, summarize


def answers(right, groups=None, candidates=2, first=0):
    """One of each of ``right``: True, False or None for a tie."""
    nats = {True: (1.0, 2.0), False: (2.0, 1.0), None: (1.0, 1.0)}
    groups = groups or [""] * len(right)
    more = tuple(Candidate(9.0, 1, 1) for _ in range(candidates - 2))
    return [
        Answer(str(n), group, 0, (*(Candidate(v, 1, 1) for v in nats[r]), *more))
        for n, (r, group) in enumerate(zip(right, groups, strict=True), first)
    ]


def test_summary():
    found = answers([True, False, None, True], ["a", "a", "a", "b"], candidates=4)
    result = summarize(found)
    assert (result["items"], result["chance"]) == (4, 0.25)
    assert result["accuracy"]["token"]["value"] == pytest.approx(2.5 / 4)
    assert result["groups"]["a"] == pytest.approx(
        {"items": 3, "none": 0.5, "token": 0.5, "character": 0.5}
    )
    by_group = summarize(found, by_group=True)["accuracy"]["none"]
    assert by_group["value"] == pytest.approx((0.5 + 1) / 2)
    low, high = by_group["interval"]
    assert 0.5 <= low < 0.75 < high <= 1


def test_differences_are_of_common_items():
    first = answers([True, True, False, True])
    second = answers([True, False, False, False], first=1)
    found = compare(first, second, "token")
    assert (found.items, found.only_first, found.only_second) == (3, 1, 1)
    # Items 1, 2, 3: right, wrong, right before; right, wrong, wrong after.
    assert (found.first, found.second) == pytest.approx((2 / 3, 1 / 3))
    assert found.difference.value == pytest.approx(-1 / 3)
    assert found.difference.interval == pytest.approx([-1.0, 0.0])
    assert (found.lost, found.gained, found.p_value) == (1, 0, 1.0)
    assert changed_items(first, second, "token") == [("3", "", [0], [1])]


def test_other_questions_are_refused():
    with pytest.raises(ValueError, match="no item in common"):
        compare(answers([True]), answers([True], first=5), "none")
    with pytest.raises(ValueError, match="item 0 is not the same question"):
        compare(answers([True]), answers([True], candidates=4), "none")


@given(lost=st.integers(0, 300), gained=st.integers(0, 300))
def test_mcnemar(lost, gained):
    total = lost + gained
    expected = binomtest(lost, total, 0.5).pvalue if total else 1.0
    assert mcnemar(lost, gained) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_pairing_narrows_the_interval():
    first = answers([True, False] * 100)
    second = answers([True, False] * 99 + [False, False])
    low, high = compare(first, second, "none").difference.interval
    assert -0.03 < low <= high <= 0
