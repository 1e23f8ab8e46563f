"""Cutting pauses: what is cut, and that frames, samples and times stay together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align.alignment import Span
from espnet_ssr.data.pause import NOTHING, cut_frames, cut_pauses, find_cuts, shift_times
from espnet_ssr.data.preprocess import PrepareExample

FRAME_RATE, SAMPLE_RATE = 50, 16000


@pytest.mark.parametrize(
    ("words", "seconds", "max_pause", "cuts"),
    [
        ([(0.5, 1.0)], 1.1, 0.2, [0.0, 0.3]),  # the pause that is left is at the word
        ([(0.1, 1.0)], 2.0, 0.2, [1.2, 2.0]),
        ([(0.1, 0.5), (1.5, 1.9)], 2.0, 0.2, [0.5, 1.3]),
        ([(0.1, 0.5), (1.5, 1.9)], 2.0, 1.0, NOTHING),
        ([(0.1, 0.5), (0.5, 2.1)], 2.0, 0.1, NOTHING),  # a word may end after the audio
        ([(0.0, 0.5), (0.7, 1.0)], 1.0, 0.0, [0.5, 0.7]),
        ([(1.0, 1.5), (2.0, 2.5)], 4.0, 0.25, [0.0, 0.75, 1.5, 1.75, 2.75, 4.0]),
        ([], 1.0, 0.3, [0.3, 1.0]),
    ],
)
def test_find_cuts(words, seconds, max_pause, cuts):
    spans = [Span("x", *times) for times in words]
    assert find_cuts(spans, seconds, max_pause) == pytest.approx(cuts)


@st.composite
def cut_times(draw, rate=None, most=2.0):
    """Times of cuts in order, none overlapping; with ``rate``: at multiples of its frames."""
    times = st.floats(0, most) if rate is None else st.integers(0, int(most * rate))
    found = draw(st.lists(times, max_size=8))
    found = sorted(found[: len(found) // 2 * 2]) or NOTHING
    return np.array(found, dtype=np.float64) / (rate or 1)


def plain_cut(num_frames, rate, cuts):
    """Numbers of the frames that begin in no cut."""
    pairs = list(zip(cuts[::2], cuts[1::2], strict=True))
    return [t for t in range(num_frames) if not any(a <= t / rate < b for a, b in pairs)]


@given(cuts=cut_times(rate=1000), num_frames=st.integers(0, 120))
def test_cut_frames_is_the_plain_loop(cuts, num_frames):
    # Thousandths, as the file has them: no edge is nearer than that to a frame without being on it.
    cuts = cuts.round(3)
    frames = np.arange(num_frames)
    # Exact, in thousandths: a frame has 20 of them.
    thousandths = np.rint(cuts * 1000).astype(int).tolist()
    expected = plain_cut(num_frames, FRAME_RATE / 1000, thousandths)
    assert cut_frames(frames, FRAME_RATE, cuts.astype(np.float32)).tolist() == expected


@given(cuts=cut_times(), times=st.lists(st.floats(0, 3), max_size=8))
def test_shift_times_is_the_plain_loop(cuts, times):
    expected = []
    for time in times:
        gone = 0.0
        for start, end in zip(cuts[::2], cuts[1::2], strict=True):
            if time > start:
                gone += min(time, end) - start
        expected.append(time - gone)
    found = shift_times(np.array(times, dtype=np.float64), cuts)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("cuts", "times", "expected"),
    [
        ([0.0, 0.5], [0.2, 0.5, 0.9], [0.0, 0.0, 0.4]),  # at the beginning, an end inside
        ([1.0, 2.0], [0.9, 1.5, 2.0], [0.9, 1.0, 1.0]),  # at the end
        ([0.2, 0.3, 0.3, 0.4], [0.25, 0.35, 0.5], [0.2, 0.2, 0.3]),
        (NOTHING, [0.0, 0.4], [0.0, 0.4]),
    ],
)
def test_shifted_times(cuts, times, expected):
    assert shift_times(np.array(times), np.array(cuts)) == pytest.approx(expected)


@st.composite
def examples(draw):
    """``(data, cuts)`` of an utterance whose last word ends with it, as the reader gives them."""
    num_frames = draw(st.integers(1, 100))
    seconds = num_frames / FRAME_RATE
    ends = np.array(sorted(draw(st.lists(st.floats(0, seconds), max_size=8)) + [seconds]))
    cuts = draw(cut_times(most=seconds))
    data = {
        "feats": np.arange(num_frames, dtype=np.float32)[:, None],
        "speech": np.arange(num_frames * 320, dtype=np.float32),
        "token_end": ends.round(3).astype(np.float32),
        "pause": cuts.round(3).astype(np.float32),
    }
    return data


@given(data=examples())
def test_an_example_stays_consistent(data):
    before = {name: value.copy() for name, value in data.items()}
    found = cut_pauses(data, FRAME_RATE, SAMPLE_RATE)
    assert set(found) == {"feats", "speech", "token_end"}
    assert all(np.array_equal(data[name], value) for name, value in before.items())
    ends = found["token_end"]
    assert ends.dtype == np.float32
    assert len(ends) == len(data["token_end"])
    assert (np.diff(ends) >= -1e-6).all()
    assert (ends >= 0).all()
    # Not a frame of drift, however many cuts.
    kept = len(found["feats"]) / FRAME_RATE
    assert ends[-1] == pytest.approx(kept, abs=1e-3)
    assert len(found["speech"]) == 320 * len(found["feats"])
    assert np.array_equal(found["speech"][::320] / 320, found["feats"][:, 0])


@given(data=examples())
def test_a_token_keeps_its_frames(data):
    """The frame in which a token ends is the same one after the cuts, unless it was cut."""
    found = cut_pauses(data, FRAME_RATE, SAMPLE_RATE)
    kept = found["feats"][:, 0].astype(int).tolist()
    for before, after in zip(data["token_end"], found["token_end"], strict=True):
        frame, new = (int(t * FRAME_RATE - 0.1) for t in (before, after))
        if frame in kept and abs(before * FRAME_RATE % 1) > 0.2:
            assert kept[new] == frame


def test_many_cuts_do_not_drift():
    cuts = np.array([[i + 0.001, i + 0.019 + 0.02] for i in range(40)]).ravel()
    data = {"feats": np.zeros((2000, 1)), "token_end": np.array([40.0]), "pause": cuts}
    found = PrepareExample(FRAME_RATE, SAMPLE_RATE)("utt", data)
    assert found["token_end"][-1] * FRAME_RATE == pytest.approx(len(found["feats"]))


def test_prepare_example_without_pauses_passes_it_on():
    data = {"feats": np.zeros((5, 2)), "token_end": np.array([0.1])}
    assert PrepareExample(FRAME_RATE, SAMPLE_RATE)("utt", data) is data


def test_prepare_example_checks_what_is_left():
    data = {
        "feats": np.zeros((10, 2)),
        "token_id": np.arange(3),
        "token_end": np.array([0.05, 0.1, 0.2]),
        "pause": np.array([0.04, 0.2]),
    }
    with pytest.raises(ValueError, match="utt: 3 tokens in 2 frames"):
        PrepareExample(FRAME_RATE, SAMPLE_RATE)("utt", data)
