"""Batches of like length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.batching import length_buckets


@given(
    sizes=st.lists(st.integers(0, 50), max_size=30),
    max_samples=st.integers(1, 200),
)
def test_buckets_hold_every_utterance_once_and_are_not_too_big(sizes, max_samples):
    lengths = {f"u{i}": n for i, n in enumerate(sizes)}
    batches = length_buckets(lengths, max_samples)
    assert sorted(u for batch in batches for u in batch) == sorted(lengths)
    for batch in batches:
        padded = len(batch) * max(lengths[u] for u in batch)
        assert padded <= max_samples or len(batch) == 1
    # No batch could have taken in the next utterance.
    for batch, following in zip(batches, batches[1:], strict=False):
        assert (len(batch) + 1) * lengths[following[0]] > max_samples


@pytest.mark.parametrize("names", ["abcd", "dcba", "cadb"])
def test_buckets_do_not_depend_on_the_order(names):
    lengths = {name: {"a": 3, "b": 1, "c": 3, "d": 2}[name] for name in names}
    assert length_buckets(lengths, 6) == [["b", "d"], ["a", "c"]]
