"""The picture of segments: what is where, in how many lines."""

import io

import numpy as np
import pytest

from espnet_ssr.align.alignment import Span
from espnet_ssr.speech_lm.picture import LINE_HEIGHT, draw_segments, token_spans
from espnet_ssr.speech_lm.segments import Segments

RATE = 16000


def labels(axis):
    return [(t.get_text(), t.get_position()[0], t.get_rotation()) for t in axis.texts]


def test_a_token_for_each_segment():
    spans = token_spans(Segments(token_end=(0.5, 0.75, 1.0)), [" oh", "\n", "$5"])
    assert spans == [Span("oh", 0, 0.5), Span(r"'\n'", 0.5, 0.75), Span("$5", 0.75, 1)]
    assert token_spans(Segments(), []) == []
    with pytest.raises(ValueError, match="argument"):
        token_spans(Segments(token_end=(0.5, 0.75)), [" oh"])


def test_tokens_and_words_have_their_places():
    tokens = [Span("oh", 0, 1), Span("$5_{$", 1, 1.05), Span("yes", 1.05, 2)]
    words = [Span("o", 0.5, 1), Span("yess", 1.5, 2)]
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 2 * RATE)
    figure = draw_segments(noise, RATE, tokens, words)
    spectrum, tiers = figure.axes
    assert [line.get_xdata()[0] for line in spectrum.lines] == [1, 1.05, 2]
    # What does not fit into its box is upright.
    expected = [("oh", 0.5, 0), ("$5_{$", 1.025, 90), ("yes", 1.525, 0), ("o", 0.75, 0)]
    assert labels(tiers)[:4] == [(t, pytest.approx(x), r) for t, x, r in expected]
    boxes = [(box.get_x(), box.get_width()) for box in tiers.patches]
    assert boxes == [
        pytest.approx((span.start, span.end - span.start)) for span in [*tokens, *words]
    ]
    figure.savefig(io.BytesIO(), format="png")  # dollars are no formula: it would not parse


def test_entropies_are_a_tier_of_their_own():
    spans = [Span("oh", 0, 1), Span("yes", 1, 2)]
    entropies = [Span("0.10", 0, 1), Span("2.50", 1, 2)]
    tiers = draw_segments(np.zeros(2 * RATE), RATE, spans, [], entropies).axes[1]
    assert [text for text, *_ in labels(tiers)] == ["oh", "yes", "0.10", "2.50"]
    assert [t.get_position()[1] for t in tiers.texts] == [0, 0, 2, 2]
    assert [label.get_text() for label in tiers.get_yticklabels()][2] == "entropy (nats)"


def test_long_speech_goes_on_in_the_next_line():
    tokens = [Span("before", 0, 7), Span("after", 7, 10)]
    figure = draw_segments(np.zeros(13 * RATE), RATE, tokens, [])
    assert figure.get_figheight() == 3 * LINE_HEIGHT
    limits = [axis.get_xlim() for axis in figure.axes]
    third = 13 / 3
    expected = [(0, third), (third, 2 * third), (2 * third, 13)]
    assert limits[::2] == limits[1::2] == [pytest.approx(pair) for pair in expected]
    shown = [[text for text, *_ in labels(axis)] for axis in figure.axes[1::2]]
    assert shown == [["before"], ["before", "after"], ["after"]]
    # Each is in the middle of what is seen of it.
    assert labels(figure.axes[1])[0][1] == pytest.approx(third / 2)


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.ones(1), np.full(100, 1e-30)])
def test_quiet_and_short_sounds(samples):
    figure = draw_segments(samples.astype(np.float32), RATE, [], [])
    shown = figure.axes[0].images[0].get_array()
    assert np.isfinite(shown).all()
    assert shown.min() >= -80 - 1e-4
    assert shown.max() <= 0
