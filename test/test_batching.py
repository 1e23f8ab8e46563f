"""Batches of like length."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.batching import bucket_by_length, length_buckets


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


@given(
    lengths=st.lists(st.integers(0, 3000), min_size=1, max_size=60),
    growth=st.sampled_from([1.1, 1.4, 2.0]),
)
def test_buckets(lengths, growth):
    buckets = bucket_by_length(torch.tensor(lengths), growth)
    wanted = [i for i, length in enumerate(lengths) if length]
    assert sorted(i for bucket in buckets for i in bucket.tolist()) == wanted
    spans = [
        (min(found), max(found)) for found in ([lengths[i] for i in bucket] for bucket in buckets)
    ]
    assert all(longest <= max(shortest * growth, shortest + 1) for shortest, longest in spans)
    assert all(a[1] < b[0] for a, b in zip(spans, spans[1:], strict=False))


def test_no_buckets_of_nothing():
    assert bucket_by_length(torch.tensor([], dtype=torch.long)) == []
