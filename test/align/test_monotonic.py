"""The compiled monotonic search against a plain one and against brute force."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.monotonic import MonotonicSearch, search_durations


def plain_search(scores):
    """Durations by the recursion as it is written down, without bands, bits or vectors."""
    num_frames, num_labels = scores.shape
    total = np.full((num_frames, num_labels), -np.inf)
    total[0, 0] = scores[0, 0]
    for t in range(1, num_frames):
        total[t, 0] = total[t - 1, 0] + scores[t, 0]
        for j in range(1, num_labels):
            total[t, j] = max(total[t - 1, j - 1], total[t - 1, j]) + scores[t, j]
    durations, label = np.zeros(num_labels, int), num_labels - 1
    for t in range(num_frames - 1, -1, -1):
        durations[label] += 1
        if label > 0 and t > 0 and total[t - 1, label - 1] >= total[t - 1, label]:
            label -= 1
    return durations


def best_total(scores):
    """Highest total of all ways to cut the frames into stretches, tried one by one."""
    num_frames, num_labels = scores.shape
    return max(
        path_total(scores, np.diff([0, *cuts, num_frames]))
        for cuts in combinations(range(1, num_frames), num_labels - 1)
    )


def path_total(scores, durations):
    labels = np.repeat(np.arange(scores.shape[1]), durations)
    return scores[np.arange(len(scores)), labels].sum(dtype=np.float64)


def random_scores(num_frames, num_labels, seed=0, levels=None):
    """Log-scores; few ``levels`` make ties."""
    rng = np.random.default_rng(seed)
    shape = (num_frames, num_labels)
    scores = -rng.integers(0, levels, shape) if levels else rng.normal(size=shape)
    return scores.astype(np.float32)


def search(scores):
    (durations,) = search_durations(scores[None], [scores.shape[0]], [scores.shape[1]])
    return durations


sizes = st.integers(1, 40).flatmap(
    lambda labels: st.tuples(st.integers(labels, 60), st.just(labels))
)


@given(size=sizes, seed=st.integers(0, 1000), levels=st.sampled_from([None, 1, 2, 5]))
def test_path_of_the_plain_search(size, seed, levels):
    scores = random_scores(*size, seed, levels)
    assert search(scores).tolist() == plain_search(scores).tolist()


@given(
    size=st.integers(1, 5).flatmap(lambda n: st.tuples(st.integers(n, 9), st.just(n))),
    seed=st.integers(0, 1000),
)
def test_best_of_all_paths(size, seed):
    scores = random_scores(*size, seed)
    durations = search(scores)
    assert durations.min() >= 1
    assert durations.sum() == len(scores)
    assert path_total(scores, durations) == pytest.approx(best_total(scores))


@given(size=sizes, seed=st.integers(0, 1000), block=st.integers(1, 60))
def test_blocks_of_frames(size, seed, block):
    scores = random_scores(*size, seed, levels=3)
    blocks = MonotonicSearch(*size)
    for begin in range(0, len(scores), block):
        blocks.add(scores[begin : begin + block])
    assert blocks.durations().tolist() == search(scores).tolist()


def test_long_utterance():
    scores = random_scores(900, 300)
    assert search(scores).tolist() == plain_search(scores).tolist()


def test_sums_are_accurate():
    """Over many frames a small difference must not drown in a float32 sum."""
    scores = np.full((100_000, 2), -50.0, np.float32)
    scores[60_000, 1] = -49.0
    scores[60_001, 1] = -51.5
    assert search(scores)[0] > 60_001


def test_batch_does_without_the_utterance_that_is_too_short():
    scores = np.stack([random_scores(30, 12, seed) for seed in range(4)])
    num_frames, num_labels = [30, 5, 12, 20], [12, 6, 12, 1]
    found = search_durations(scores, num_frames, num_labels)
    assert isinstance(found[1], AlignError)
    assert found[1].cause == "too_short"
    assert str(found[1]) == "6 labels need as many frames, there are 5"
    assert found[2].tolist() == [1] * 12
    assert found[3].tolist() == [20]
    assert found[0].tolist() == plain_search(scores[0]).tolist()


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_scores_that_are_no_numbers(bad):
    scores = random_scores(10, 4)
    scores[5] = bad
    error = search(scores)
    assert error.cause == "no_path"


def test_scores_of_another_shape():
    search = MonotonicSearch(10, 4)
    search.add(random_scores(8, 4))
    for shape in ((3, 4), (2, 5), (2, 3)):
        with pytest.raises(ValueError, match=r"but room for \(2, 4\)"):
            search.add(random_scores(*shape))


def test_forbidden_cells_are_avoided():
    scores = random_scores(10, 3)
    scores[4:, 0] = scores[:6, 2] = -np.inf
    durations = search(scores)
    assert durations[0] <= 4
    assert durations[2] <= 4
