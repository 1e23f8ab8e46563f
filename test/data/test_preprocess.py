"""Examples that must not reach a batch are refused by name, with the stage to run again."""

import numpy as np
import pytest

from espnet_ssr.data.preprocess import check_example


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
