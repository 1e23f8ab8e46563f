"""Examples that must not reach a batch are refused by name, with the stage to run again; ends of
segments are moved in training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.data.preprocess import PrepareExample, check_example, jitter_ends


def example(frames=5, tokens=3, ends=3):
    """Data of one utterance as ESPnet's data set gives it."""
    return {
        "feats": np.ones((frames, 4), np.float32),
        "token_id": np.arange(tokens),
        "token_end": np.linspace(0.1, 0.5, ends, dtype=np.float32),
    }


@pytest.mark.parametrize(
    "names", [("feats", "token_id", "token_end"), ("feats",), ("token_id",), ("feats", "token_id")]
)
def test_good_example_is_passed_on(names):
    data = {name: example()[name] for name in names}
    assert check_example("utt", data) is data


def test_a_frame_for_each_token_is_enough():
    data = example(frames=3)
    assert check_example("utt", data) is data


@pytest.mark.parametrize("name", ["feats", "speech"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(name, bad):
    values = np.ones((5, 4), np.float32)
    values[2, 1] = bad
    with pytest.raises(ValueError, match=f"utt: {name} has NaN or infinite values: run stage 6"):
        check_example("utt", {name: values})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (example(ends=2), "utt: 3 token ids but 2 end times: run stage 5 again"),
        (example(tokens=6, ends=6), "utt: 6 tokens in 5 frames: run stage 5 again"),
        (example(tokens=0), "utt: 0 token ids but 3 end times: run stage 5 again"),
    ],
)
def test_tokens_that_do_not_fit(data, message):
    with pytest.raises(ValueError) as error:
        check_example("utt", data)
    assert str(error.value) == message


@given(
    st.lists(st.floats(0, 60, width=32), max_size=20),
    st.floats(0, 2),
    st.integers(0, 2**32 - 1),
)
def test_jittered_ends_stay_in_order_and_in_the_utterance(ends, deviation, seed):
    ends = np.sort(np.array(ends, np.float32))
    before = ends.copy()
    np.random.seed(seed)
    moved = jitter_ends(ends, deviation)
    np.testing.assert_array_equal(ends, before)  # not in place
    assert (moved.shape, moved.dtype) == (ends.shape, ends.dtype)
    assert (np.diff(moved) >= 0).all()
    assert (moved >= 0).all()
    np.testing.assert_array_equal(moved[-1:], ends[-1:])


def test_jitter_is_as_large_as_asked_for():
    ends = np.arange(1, 20001, dtype=np.float64)  # a second apart: none meets its neighbour
    np.random.seed(0)
    moves = (jitter_ends(ends, 0.05) - ends)[:-1]
    assert moves.std() == pytest.approx(0.05, rel=0.03)
    assert abs(moves.mean()) < 0.002
    assert (jitter_ends(ends, 0.0) == ends).all()


def test_jitter_differs_from_time_to_time_and_follows_the_seed():
    ends = example(frames=9)["token_end"]
    np.random.seed(3)
    first, second = jitter_ends(ends, 0.1), jitter_ends(ends, 0.1)
    assert (first != second).any()
    np.random.seed(3)
    np.testing.assert_array_equal(jitter_ends(ends, 0.1), first)


def test_only_ends_are_jittered():
    data = example()
    np.random.seed(0)
    prepared = PrepareExample(50, 16000, jitter=0.1)("utt", data)
    assert prepared["token_end"][0] != data["token_end"][0]
    assert prepared["token_end"][-1] == data["token_end"][-1]
    for name in ("feats", "token_id"):
        assert prepared[name] is data[name]
    np.testing.assert_array_equal(data["token_end"], example()["token_end"])


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_examples_without_ends_or_without_jitter_stay(jitter):
    data = example()
    if jitter:
        del data["token_end"]
    prepared = PrepareExample(50, 16000, jitter)("utt", data)
    assert prepared.keys() == data.keys()
    assert all(prepared[name] is data[name] for name in data)


def test_pauses_are_cut_before_ends_are_jittered():
    data = {**example(frames=40), "pause": np.array([0.2, 0.4], np.float32)}
    data["token_end"] = np.array([0.1, 0.6, 0.8], np.float32)
    np.random.seed(0)
    prepared = PrepareExample(50, 16000, jitter=0.02)("utt", data)
    assert "pause" not in prepared
    assert len(prepared["feats"]) == 30
    assert prepared["token_end"][-1] == pytest.approx(0.6)
    assert (np.diff(prepared["token_end"]) >= 0).all()


def test_a_prepared_example_is_checked():
    with pytest.raises(ValueError, match="utt: 3 token ids but 2 end times"):
        PrepareExample(50, 16000, jitter=0.1)("utt", example(ends=2))
