"""Intervals against what theory says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.evaluate.bootstrap import bootstrap_interval


@given(shares=st.lists(st.floats(0, 0.4), min_size=1, max_size=8))
def test_interval_is_that_of_a_stratified_mean(shares):
    """Against the normal approximation: each paradigm has a variance of its own."""
    size = 50
    differences = [np.arange(size) < round(share * size) for share in shares]
    differences = [d.astype(float) for d in differences]
    low, high = bootstrap_interval(differences, repeats=1000)
    mean = np.mean([d.mean() for d in differences])
    deviation = np.sqrt(sum(d.var() / size for d in differences)) / len(differences)
    assert low <= mean <= high
    assert (high - low) / 2 == pytest.approx(1.96 * deviation, rel=0.15, abs=1 / size)


def test_a_single_value_has_no_interval():
    assert bootstrap_interval([np.array([1.0, 1.0])]) == [1.0, 1.0]


def test_drawn_by_counts_as_one_by_one():
    values = np.array([-1.0, 0.0, 0.5, 1.0, 1.0] * 20)
    rng = np.random.default_rng(1)
    plain = np.percentile(rng.choice(values, (4000, len(values))).mean(1), [2.5, 97.5])
    assert bootstrap_interval([values], repeats=4000) == pytest.approx(plain.tolist(), abs=0.02)
