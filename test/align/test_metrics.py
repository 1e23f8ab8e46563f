"""Boundary errors: exact on small cases, and what is left out is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align.alignment import Alignment, Span
from espnet_ssr.align.metrics import TOLERANCES_MS, compare_words, normalise_word


def words(*spans):
    """``{"u": alignment}`` of (label, start, end) in ms."""
    return {"u": Alignment("u", [Span(w, start / 1000, end / 1000) for w, start, end in spans])}


REFERENCE = words(("one", 100, 300), ("two", 300, 600), ("three", 800, 1000), ("four", 1000, 1200))
HYPOTHESIS = words(("one", 110, 280), ("two", 280, 625), ("three", 800, 1100), ("four", 1100, 1201))


def test_figures():
    summary = compare_words(HYPOTHESIS, REFERENCE).summary()
    assert (summary["utterances"], summary["words"], summary["left_out"]) == (1, 4, {})
    end, start = summary["end"], summary["start"]
    # Ends are off by -20, 25, 100 and 1 ms, starts by 10, -20, 0 and 100.
    assert end["mean_ms"] == pytest.approx(36.5)
    assert end["median_ms"] == pytest.approx(22.5)
    assert end["signed_mean_ms"] == pytest.approx(26.5)
    assert end["unbiased_mean_ms"] == pytest.approx(36)
    assert end["within"] == {"10": 0.25, "20": 0.5, "25": 0.75, "50": 0.75, "100": 1.0}
    assert start["mean_ms"] == pytest.approx(32.5)
    assert start["median_ms"] == pytest.approx(15)
    assert start["signed_mean_ms"] == pytest.approx(22.5)
    assert start["within"] == {"10": 0.5, "20": 0.75, "25": 0.75, "50": 0.75, "100": 1.0}
    assert summary["word_duration_ms"] == pytest.approx({"hypothesis": 229, "reference": 225})


def test_every_word_weighs_the_same():
    short = Alignment("short", [Span("a", 0, 0.1)])
    late = Alignment("short", [Span("a", 0, 0.14)])
    errors = compare_words({**REFERENCE, "short": late}, {**REFERENCE, "short": short})
    assert errors.summary()["end"]["mean_ms"] == pytest.approx(40 / 5)
    assert errors.by_utterance() == pytest.approx({"u": 0, "short": 20})
    assert errors.restrict(["short"]).summary()["end"]["mean_ms"] == pytest.approx(40)


@pytest.mark.parametrize("tolerance", TOLERANCES_MS)
@given(start=st.integers(0, 10**6))
def test_a_tolerance_includes_its_bound(tolerance, start):
    # 0.31 - 0.30 is more than 0.01 in floating point.
    reference = words(("a", start, start + 500))
    late = words(("a", start, start + 500 + tolerance))
    assert compare_words(late, reference).summary()["end"]["within"][str(tolerance)] == 1
    late = words(("a", start, start + 501 + tolerance))
    assert compare_words(late, reference).summary()["end"]["within"][str(tolerance)] == 0


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(-400, 400)), min_size=1, max_size=8))
def test_errors_are_the_shifts(pairs):
    starts = np.cumsum([1000] + [duration + 900 for duration, _ in pairs])
    timed = [(start, start + d, shift) for start, (d, shift) in zip(starts, pairs, strict=False)]
    reference = words(*(("w", start, end) for start, end, _ in timed))
    moved = words(*(("w", start + shift, end + shift) for start, end, shift in timed))
    expected = [[shift, shift] for _, shift in pairs]
    assert compare_words(moved, reference).signed().tolist() == expected


def test_case_and_punctuation_do_not_matter():
    reference = words(("don't", 0, 100), ("stop", 100, 200))
    hypothesis = words(("DON’T", 0, 110), ("--", 110, 110), ("Stop!", 110, 200))
    errors = compare_words(hypothesis, reference)
    assert errors.signed().tolist() == [[0, 10], [10, 0]]


@pytest.mark.parametrize(
    ("label", "word"),
    [("Don’t,", "don't"), ("ÉTÉ", "été"), ("e\u0301te\u0301", "été"), ("12%", "12"), ("–", "")],
)
def test_normalised_words(label, word):
    assert normalise_word(label) == word


def test_what_is_left_out_is_counted():
    hypothesis = {"same": REFERENCE["u"], "fewer": HYPOTHESIS["u"], "new": REFERENCE["u"]}
    reference = {
        "same": REFERENCE["u"],
        "fewer": Alignment("fewer", REFERENCE["u"].spans[:3]),
        "lost": REFERENCE["u"],
    }
    errors = compare_words(hypothesis, reference)
    assert errors.left_out == {
        "fewer": "other_words", "lost": "not_aligned", "new": "no_reference"
    }  # fmt: skip
    assert errors.summary()["left_out"] == dict.fromkeys(errors.left_out.values(), 1)
    assert list(errors.times) == ["same"]


def test_other_words_of_the_same_number_are_left_out():
    other = words(*(("x", 1000 * s.start, 1000 * s.end) for s in REFERENCE["u"].spans))
    assert compare_words(other, REFERENCE).left_out == {"u": "other_words"}


@pytest.mark.parametrize("reference", [{}, {"v": REFERENCE["u"]}, {"u": Alignment("u")}])
def test_nothing_to_compare(reference):
    summary = compare_words({"u": HYPOTHESIS["u"]} if "u" in reference else {}, reference).summary()
    assert (summary["utterances"], summary["words"]) == (0, 0)
    assert summary["end"] is summary["start"] is summary["word_duration_ms"] is None


def test_utterances_without_words_are_no_error():
    errors = compare_words({"u": Alignment("u")}, {"u": Alignment("u")})
    assert (errors.times, errors.left_out, errors.by_utterance()) == ({}, {}, {})
