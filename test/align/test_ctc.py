"""CTC alignment: failures stay alone, textless guesses, times from where labels fire."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from espnet_ssr.align.abs import AlignError, AlignUtterance
from espnet_ssr.align.ctc import LEAD, MIN_PAUSE, CTCAligner, greedy_labels, label_times
from espnet_ssr.align.labels import CharLabels
from espnet_ssr.align.viterbi import CTCPath

LABELS = CharLabels.build(["abc 'x"])
RATE = 50


def posteriors(signals):
    """The signals are log-probabilities already."""
    rows = [torch.from_numpy(np.asarray(x, np.float32)) for x in signals]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor(
        [len(x) for x in rows]
    )


def heard(frames, sureness=0.9):
    """Log-probabilities of a network that hears a label a frame; ``_`` is the blank."""
    names = {**{name: i for i, name in enumerate(LABELS.names)}, "_": 0}
    probs = np.full((len(frames), len(LABELS)), (1 - sureness) / (len(LABELS) - 1), np.float32)
    for row, name in zip(probs, frames, strict=True):
        row[names[name]] = sureness
    return np.log(probs)


@pytest.fixture
def aligner():
    return CTCAligner(posteriors, LABELS, RATE)


def spans_of(levels, level="word"):
    return [(s.label, approx(s.start), approx(s.end)) for s in levels[level].spans]


def test_words_of_a_transcript(aligner):
    frames = "_" * 10 + "a__b" + "_" * 20 + "c__"
    (levels,) = aligner.align_batch([AlignUtterance("u", heard(frames), "Ab c!")])
    # A word begins LEAD before its first label fires, where there is a pause before it.
    assert spans_of(levels) == [
        ("Ab", 10 / RATE - LEAD, 14 / RATE),
        ("c!", 34 / RATE - LEAD, 35 / RATE),
    ]
    # Letters touch in the middle of the blanks between them.
    assert spans_of(levels, "char")[:2] == [
        ("A", 10 / RATE - LEAD, 12 / RATE),
        ("b", 12 / RATE, 14 / RATE),
    ]
    assert levels["word"].spans[0].score == approx(np.log(0.9), abs=1e-5)


def test_offset_and_short_gaps():
    aligner = CTCAligner(posteriors, LABELS, RATE, frame_offset=0.01)
    frames = "a__ __b"
    (levels,) = aligner.align_batch([AlignUtterance("u", heard(frames), "a b")])
    # The gap of 5 frames is no pause.
    assert spans_of(levels) == [("a", 0, 0.03), ("b", 0.03, 0.15)]


def test_textless_aligns_the_guess(aligner):
    frames = "__aab_b" + " " + "_" * 12 + "c' _"
    (levels,) = aligner.align_batch([AlignUtterance("u", heard(frames))])
    assert [s.label for s in levels["word"].spans] == ["abb", "c'"]
    (forced,) = aligner.align_batch([AlignUtterance("u", heard(frames), "abb c'")])
    assert levels == forced


@pytest.mark.parametrize("frames", ["_____", "__ _ ", "' _' ", ""])
def test_a_guess_without_words_is_no_speech(aligner, frames):
    batch = [AlignUtterance("u", heard(frames)), AlignUtterance("v", heard("aa_"))]
    error, levels = aligner.align_batch(batch)
    assert error.cause == "no_speech"
    assert [s.label for s in levels["word"].spans] == ["a"]


def test_failures_stay_alone(aligner):
    nan = heard("a____")
    nan[3, 2] = np.nan
    batch = [
        AlignUtterance("good", heard("_ab_c____"), "ab c"),
        AlignUtterance("nan", nan, "a"),
        AlignUtterance("short", heard("ab"), "abc abc"),
        AlignUtterance("none", heard("_")[:0], "a"),
        AlignUtterance("empty", heard("a"), ""),
        AlignUtterance("punctuation", heard("'a"), "' '"),
        AlignUtterance("unknown", heard("ab"), "ж"),
        AlignUtterance("partly", heard("a____"), "a ж"),
        AlignUtterance("last", heard("c_"), "c"),
    ]
    results = dict(zip([u.utt_id for u in batch], aligner.align_batch(batch), strict=True))
    causes = {k: r.cause for k, r in results.items() if isinstance(r, AlignError)}
    assert causes == {
        "nan": "nan",
        "short": "too_short",
        "none": "too_short",
        "empty": "empty_text",
        "punctuation": "too_short",
        "unknown": "empty_text",
        "partly": "unknown_characters",
    }
    for utterance in (batch[0], batch[-1]):
        (alone,) = aligner.align_batch([utterance])
        assert results[utterance.utt_id] == alone


def test_a_batch_of_failures(aligner):
    results = aligner.align_batch(
        [AlignUtterance("u", heard("a"), ""), AlignUtterance("v", [], "a")][:1]
    )
    assert [r.cause for r in results] == ["empty_text"]


@given(ids=st.lists(st.integers(0, 3), max_size=20))
def test_greedy_labels(ids):
    log_probs = torch.nn.functional.one_hot(torch.tensor(ids, dtype=torch.long), 4).float()
    collapsed = [b for a, b in pairwise([None, *ids]) if a != b]
    assert greedy_labels(log_probs) == [i for i in collapsed if i != 0]


@st.composite
def paths(draw):
    """A text and a path through its labels, with gaps of any length between them."""
    word = st.text(st.sampled_from("abcx'"), min_size=1, max_size=4)
    text = " ".join(draw(st.lists(word, min_size=1, max_size=4)))
    ids, offsets = LABELS.encode(text)
    gap = st.sampled_from([0, 1, 2, 8, 30])
    start, end, now = [], [], draw(gap)
    for _ in ids:
        start.append(now)
        now += draw(st.integers(1, 3))
        end.append(now)
        now += draw(gap)
    scores = np.zeros(len(ids))
    return text, offsets, CTCPath(np.array(start), np.array(end), scores, 0.0)


@given(found=paths(), frame_offset=st.sampled_from([0.0, -0.01, 0.0125, -0.2]))
def test_label_times(found, frame_offset):
    text, offsets, path = found
    times = label_times(path, offsets, text, RATE, frame_offset)
    letters = [
        (j, *time[:2], *(max(0, t[j] / RATE + frame_offset) for t in (path.start, path.end)))
        for j, ((b, e), time) in enumerate(zip(offsets, times, strict=True))
        if b < e
    ]
    assert all(0 <= start <= end for _, start, end, _, _ in letters)
    for (i, _, end, _, fired_until), (j, start, _, fires, _) in pairwise(letters):
        assert start >= end
        if j == i + 1 or fires - fired_until < MIN_PAUSE:
            assert start == end  # no gap inside a word, nor a short one between words
        else:
            assert (end, start) == (approx(fired_until), approx(fires - LEAD))  # a pause is kept


def test_nothing_is_changed_in_the_path():
    path = CTCPath(np.array([0, 3]), np.array([1, 4]), np.zeros(2), 0.0)
    label_times(path, [(0, 1), (1, 2)], "ab", RATE, 0.0)
    assert (path.start.tolist(), path.end.tolist()) == ([0, 3], [1, 4])
