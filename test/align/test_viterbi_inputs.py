"""Forced alignment of batches: padding, bad utterances, layouts, memory."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.viterbi import CTCPath, viterbi_align

BACKENDS = ("numba", "torch")
NUM_SYMBOLS = 4


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile before the first test, not in it."""
    for backend in BACKENDS:
        align([(np.zeros((3, NUM_SYMBOLS)), [1])], backend=backend)


def align(utterances, padding=0.0, label_padding=0, **options):
    """Results, as plain tuples, of ``(log_probs (T, 4), labels)`` in one padded batch."""
    lengths = [len(log_probs) for log_probs, _ in utterances]
    label_lengths = [len(labels) for _, labels in utterances]
    log_probs = np.full((len(utterances), max(lengths) + 2, NUM_SYMBOLS), padding, np.float32)
    labels = np.full((len(utterances), max(label_lengths) + 1), label_padding)
    for b, (values, row) in enumerate(utterances):
        log_probs[b, : len(values)] = values
        labels[b, : len(row)] = row
    return [plain(x) for x in viterbi_align(log_probs, lengths, labels, label_lengths, **options)]


def plain(result):
    """A path as ``(start, end, scores, score)``, an error as ``(cause, message)``."""
    if isinstance(result, AlignError):
        return result.cause, str(result)
    return result.start.tolist(), result.end.tolist(), result.scores.tolist(), result.score


def random_log_probs(num_frames, seed=0):
    return np.log(np.random.default_rng(seed).dirichlet(np.ones(NUM_SYMBOLS), num_frames))


UTTERANCES = st.tuples(
    st.integers(0, 40).map(lambda n: random_log_probs(n, seed=n)),
    st.lists(st.integers(1, NUM_SYMBOLS - 1), max_size=12),
)


@given(
    utterances=st.lists(UTTERANCES, min_size=1, max_size=4),
    padding=st.sampled_from([np.nan, np.inf, 0.0]),
    label_padding=st.sampled_from([-1, 0, 10**9]),
)
def test_a_batch_is_its_utterances_whatever_the_padding(utterances, padding, label_padding):
    alone = [align([utterance])[0] for utterance in utterances]
    for backend in BACKENDS:
        assert align(utterances, padding, label_padding, backend=backend) == alone


ZEROS = np.zeros((8, NUM_SYMBOLS))
NAN_IN_FRAME_2 = np.where(np.arange(8)[:, None] == 2, np.nan, ZEROS)
INF_IN_FRAME_7 = np.where(np.arange(8)[:, None] == 7, np.inf, ZEROS)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("log_probs", "labels", "cause", "details"),
    [
        (ZEROS, [], "empty_text", "no labels"),
        (ZEROS, [1, 4], "bad_label", "label 4 at position 1 is not one of 0 ... 3"),
        (ZEROS, [-1, 1], "bad_label", "label -1 at position 0"),
        (ZEROS, [1, 0], "bad_label", "without the blank (0)"),
        (ZEROS[:5], [1, 1, 1, 2], "too_short", "5 frames, but 4 labels of which 2 repeat the one"),
        (ZEROS[:5], [1, 1, 1, 2], "too_short", "need 6"),
        (ZEROS[:0], [1], "too_short", "0 frames, but 1 labels"),
        (NAN_IN_FRAME_2, [1, 2], "nan", "frame 2"),
        (INF_IN_FRAME_7, [1, 2], "nan", "frame 7"),
        (np.full((8, NUM_SYMBOLS), -np.inf), [1, 2], "no_path", "2 labels score -inf"),
    ],
)
def test_a_bad_utterance_leaves_the_others_alone(backend, log_probs, labels, cause, details):
    first, last = (random_log_probs(9), [1, 2, 3, 3]), (random_log_probs(7), [2, 3, 2])
    found = align([first, (log_probs, labels), last], backend=backend)
    assert [found[0], found[2]] == align([first, last])
    assert found[1][0] == cause
    assert details in found[1][1]


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    values=st.lists(st.floats(width=32), min_size=32, max_size=32),
    labels=st.lists(st.integers(-1, 5), max_size=6),
    num_frames=st.integers(0, 8),
)
def test_any_input_gives_a_path_or_a_cause(backend, values, labels, num_frames):
    log_probs = np.array(values, np.float32).reshape(8, NUM_SYMBOLS)[:num_frames]
    (found,) = align([(log_probs, labels)], backend=backend)
    if len(found) == 2:
        assert found[0] in ("empty_text", "bad_label", "too_short", "nan", "no_path")
        return
    start, end = np.array(found[:2])
    assert start[0] >= 0 and end[-1] <= num_frames
    assert (start < end).all()
    assert (end[:-1] + (np.diff(labels) == 0) <= start[1:]).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"log_probs": np.zeros((9, 4))}, r"expected \(B, T, V\) and \(B, L\)"),
        ({"lengths": [9, 10]}, r"lengths must be 0 \.\.\. 9: \[9, 10\]"),
        ({"lengths": [9, -1]}, "lengths must be"),
        ({"lengths": [9]}, r"2 utterances, but lengths \(1,\)"),
        ({"lengths": [9.0, 8.0]}, "must be integers, not float64"),
        ({"label_lengths": [3, 4]}, r"label_lengths must be 0 \.\.\. 3"),
        ({"blank": 4}, r"blank is 4, log_probs has columns 0 \.\.\. 3"),
        ({"backend": "cuda"}, "numba or torch, not 'cuda'"),
    ],
)
def test_what_does_not_fit_together(changed, message):
    batch = {
        "log_probs": np.zeros((2, 9, 4), np.float32),
        "lengths": [9, 8],
        "labels": [[1, 2, 3], [1, 1, 1]],
        "label_lengths": [3, 2],
    }
    with pytest.raises(ValueError, match=message):
        viterbi_align(**batch | changed)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_to_align(backend):
    nothing = np.zeros((0, 5, 4), np.float32), [], np.zeros((0, 3), int), []
    assert viterbi_align(*nothing, backend=backend) == []


@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_tensors_of_any_layout_and_precision(backend):
    log_probs = torch.from_numpy(random_log_probs(50)).bfloat16()
    expected = align([(log_probs.float().numpy(), [3, 3, 1, 2])])
    time_first = log_probs[:, None].requires_grad_().transpose(0, 1)
    sizes = torch.tensor([50]), torch.tensor([[3, 3, 1, 2]]), torch.tensor([4])
    found = viterbi_align(time_first, *sizes, backend=backend)
    assert [plain(found[0])] == expected


def test_memory():
    """Neither a copy of the log-probabilities (39 MiB) nor a table of all states (195 MiB)."""
    labels = np.tile(np.arange(1, 512), 10)
    log_probs = np.zeros((1, 20000, 512), np.float32)
    tracemalloc.start()
    try:
        found = viterbi_align(log_probs, [20000], labels[None], [len(labels)])[0]
        peak = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    assert isinstance(found, CTCPath)
    assert peak < 12
