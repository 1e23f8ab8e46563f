"""Forced alignment is exact: all paths of small cases, a plain search of large ones."""

import itertools
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align import viterbi_lattice
from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.viterbi import CTCPath, viterbi_align

BACKENDS = ("numba", "torch")
FIELDS = ("start", "end", "scores", "score")


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile before the first test, not in it."""
    for backend in BACKENDS:
        align_one(np.zeros((3, 2)), [1], backend=backend)


def align_one(log_probs, labels, **options):
    """Align ``(T, V)`` with a list of labels."""
    batch = np.asarray(log_probs, np.float32)[None]
    labels = np.asarray(labels, np.int64)[None]
    return viterbi_align(batch, [batch.shape[1]], labels, [labels.shape[1]], **options)[0]


def assert_same(found, expected):
    if isinstance(expected, AlignError):
        assert (found.cause, str(found)) == (expected.cause, str(expected))
    else:
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(found, field), getattr(expected, field), field)


def symbols_of_frames(path, labels, num_frames):
    """The symbol of each frame, blank (0) outside of the spans."""
    symbols = np.zeros(num_frames, np.int64)
    for label, start, end in zip(labels, path.start, path.end, strict=True):
        symbols[start:end] = label
    return symbols


def collapse(symbols):
    """CTC's map from frames to labels."""
    return [symbol for symbol, _ in itertools.groupby(symbols) if symbol != 0]


def brute_force_score(log_probs, labels):
    """Best score of all symbol sequences that collapse to ``labels``; None: there are none."""
    num_frames, num_symbols = log_probs.shape
    scores = [
        log_probs[np.arange(num_frames), symbols].sum()
        for symbols in itertools.product(range(num_symbols), repeat=num_frames)
        if collapse(symbols) == labels
    ]
    return max(scores, default=None)


def plain_states(log_probs, labels):
    """States of the best path by the textbook's table over all frames and states, in float64."""
    symbols = np.zeros(2 * len(labels) + 1, np.int64)
    symbols[1::2] = labels
    skip = np.full(len(symbols), -np.inf)
    skip[3::2] = np.where(symbols[3::2] == symbols[1:-2:2], -np.inf, 0)
    emission = log_probs.astype(np.float64)[:, symbols]
    score = np.full(len(symbols), -np.inf)
    score[:2] = emission[0, :2]
    moves = np.zeros(emission.shape, np.int64)
    before = np.full((3, len(symbols)), -np.inf)
    for t in range(1, len(log_probs)):
        before[0], before[1, 1:], before[2, 2:] = score, score[:-1], score[:-2] + skip[2:]
        moves[t] = before.argmax(axis=0)
        score = before.max(axis=0) + emission[t]
    states = [len(symbols) - 1 - int(score[-2] > score[-1])]
    for move in moves[:0:-1]:
        states.append(states[-1] - move[states[-1]])
    return np.array(states[::-1]), max(score[-2:])


def assert_plain(path, log_probs, labels):
    """``path`` is that of ``plain_states``, spans and scores included."""
    states, score = plain_states(log_probs, labels)
    assert path.score == pytest.approx(score)
    for k in range(len(labels)):
        frames = np.flatnonzero(states == 2 * k + 1)
        assert (path.start[k], path.end[k]) == (frames[0], frames[-1] + 1)
        assert path.scores[k] == pytest.approx(log_probs[frames, labels[k]].mean(), rel=1e-5)


def peaky(num_frames, labels, seed=0):
    """Log-probabilities as CTC networks give them: mostly blank, labels in single frames, at times
    in none or in a frame too many. Multiples of 1/64, whose sums have no rounding."""
    rng = np.random.default_rng(seed)
    log_probs = rng.gumbel(size=(num_frames, 32)) - 10
    log_probs[:, 0] = -rng.exponential(0.05, num_frames)
    peaks = np.sort(rng.choice(num_frames, len(labels), replace=False))
    for frame, label in zip(peaks, labels, strict=True):
        if rng.random() < 0.95:
            log_probs[frame : frame + 2, label] = -rng.exponential(0.5)
            log_probs[frame, 0] = rng.normal(-5, 2)
    return (np.round(log_probs * 64) / 64).astype(np.float32)


SCORES = st.one_of(st.integers(-12, 0).map(lambda n: n / 4), st.just(-np.inf))
BLOCKS = st.sampled_from([1, 2, 3, viterbi_lattice.BLOCK])


@st.composite
def cases(draw, max_frames, max_symbols, max_labels):
    """Log-probabilities ``(T, V)`` with ties and -inf, and labels with repeats."""
    shape = draw(st.integers(1, max_frames)), draw(st.integers(2, max_symbols))
    values = draw(st.lists(SCORES, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    labels = draw(st.lists(st.integers(1, shape[1] - 1), min_size=1, max_size=max_labels))
    return np.array(values, np.float32).reshape(shape), labels


@pytest.mark.parametrize("backend", BACKENDS)
@given(case=cases(6, 3, 4), block=BLOCKS)
def test_best_of_all_paths(backend, case, block):
    log_probs, labels = case
    with patch.object(viterbi_lattice, "BLOCK", block):
        found = align_one(log_probs, labels, backend=backend)
    best = brute_force_score(log_probs, labels)
    if best is None or best == -np.inf:
        assert found.cause == ("too_short" if best is None else "no_path")
        return
    symbols = symbols_of_frames(found, labels, len(log_probs))
    assert collapse(symbols) == labels
    assert log_probs[np.arange(len(symbols)), symbols].sum() == found.score == best


@given(case=cases(40, 4, 12), block=BLOCKS)
def test_same_path_as_the_plain_search(case, block):
    log_probs, labels = case
    with patch.object(viterbi_lattice, "BLOCK", block):
        found, other = (align_one(log_probs, labels, backend=backend) for backend in BACKENDS)
    assert_same(other, found)
    if isinstance(found, CTCPath):
        assert_plain(found, log_probs, labels)
    else:
        assert found.cause in ("too_short", "no_path")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("num_frames", "num_labels"), [(1500, 450), (2048, 300), (4300, 60)])
def test_peaky_log_probabilities(backend, num_frames, num_labels):
    labels = np.random.default_rng(1).integers(1, 32, num_labels)
    log_probs = peaky(num_frames, labels)
    assert_plain(align_one(log_probs, labels, backend=backend), log_probs, labels)


@pytest.mark.parametrize("backend", BACKENDS)
def test_more_labels_than_a_block_has_frames(backend):
    labels = np.random.default_rng(1).integers(1, 32, 500)
    log_probs = peaky(1100, labels)
    with patch.object(viterbi_lattice, "BLOCK", 128):
        assert_plain(align_one(log_probs, labels, backend=backend), log_probs, labels)


@pytest.mark.parametrize("backend", BACKENDS)
def test_sums_over_long_recordings_keep_their_digits(backend):
    rng = np.random.default_rng(0)
    log_probs = rng.normal(-20, 1, (12000, 4)).astype(np.float32)
    labels = rng.integers(1, 4, 100)
    expected = plain_states(log_probs, labels)[1]
    found = align_one(log_probs, labels, backend=backend)
    assert found.score == pytest.approx(expected, abs=1e-3)


def test_last_column_may_be_the_blank():
    log_probs = peaky(200, [3, 3, 1, 2])
    expected = align_one(log_probs, [3, 3, 1, 2])
    moved = np.roll(log_probs, -1, axis=1)
    for backend in BACKENDS:
        assert_same(align_one(moved, [2, 2, 0, 1], blank=31, backend=backend), expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("block", [1, 4, 2048])
def test_as_many_frames_as_needed(backend, block):
    symbols = np.array([1, 2, 3, 1, 2, 1, 0, 1, 2, 0, 2, 3])
    frames = np.flatnonzero(symbols)
    log_probs = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    with patch.object(viterbi_lattice, "BLOCK", block):
        found = align_one(log_probs, symbols[frames], backend=backend)
    assert found.start.tolist() == frames.tolist()
    assert found.end.tolist() == (frames + 1).tolist()
    assert found.scores.tolist() == log_probs[frames, symbols[frames]].tolist()
    assert found.score == pytest.approx(log_probs[np.arange(12), symbols].sum())


def test_labels_of_a_frame():
    """All of them that leave time for the others; label 2 must wait for a blank until frame 3."""
    lattice = viterbi_lattice.build_lattice(np.array([1, 2, 2]), 6, 3, 0)
    bounds = [lattice.labels_in_frame(t) for t in range(6)]
    assert [b.start for b in bounds] == [0, 0, 0, 1, 2, 2]
    assert [b.stop for b in bounds] == [1, 2, 3, 3, 3, 3]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_finds_the_same_paths():
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 32, (3, 300))
    log_probs = np.stack([peaky(2500, row, seed) for seed, row in enumerate(labels)])
    batch = [2500, 2100, 400], labels, [300, 200, 300]
    on_gpu = viterbi_align(torch.from_numpy(log_probs).cuda(), *batch)
    for found, expected in zip(on_gpu, viterbi_align(log_probs, *batch), strict=True):
        assert_same(found, expected)


def test_score_of_torchaudio():
    forced_align = pytest.importorskip("torchaudio").functional.forced_align
    labels = np.random.default_rng(2).integers(1, 32, 100)
    log_probs = peaky(400, labels)
    try:
        _, scores = forced_align(torch.from_numpy(log_probs)[None], torch.tensor(labels)[None])
    except RuntimeError as error:
        pytest.skip(f"torchaudio is installed without its compiled part: {error}")
    # Its path is not always the best one.
    assert align_one(log_probs, labels).score >= float(scores.sum()) - 1e-3
