"""Noises have the spectrum, and mixtures the ratio of powers, that were asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import welch

from espnet_ssr.data.augment_noise import (
    PEAK,
    add_at_snr,
    babble,
    fit_in_range,
    long_term_spectrum,
    mean_power,
    pink_noise,
    speech_shaped_noise,
    white_noise,
)

SIZES = st.integers(1, 400)


def noise(size, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal(size)


@given(SIZES, st.floats(-20, 40), st.floats(1e-4, 10))
def test_the_ratio_of_powers_is_what_was_asked_for(size, snr, scale):
    speech = noise(size, 1, scale)
    mixture = add_at_snr(speech, noise(size, 2), snr)
    ratio = mean_power(speech) / mean_power(mixture - speech)
    assert 10 * np.log10(ratio) == pytest.approx(snr, abs=1e-6)
    fitted = fit_in_range(mixture)
    assert np.abs(fitted).max() <= PEAK * (1 + 1e-12)
    # All of it by one factor.
    factor = min(1, PEAK / np.abs(mixture).max())
    assert fitted == pytest.approx(factor * mixture)


@pytest.mark.parametrize(("scales", "which"), [((0, 1), "speech"), ((1, 0), "noise")])
def test_silence_has_no_ratio(scales, which):
    speech, other = (noise(10, scale=scale) for scale in scales)
    with pytest.raises(ValueError, match=f"the {which} is silent"):
        add_at_snr(speech, other, 10)


def slope(samples):
    """Decibels an octave, from 1/128 to 1/4 cycles a sample."""
    frequencies, powers = welch(samples, nperseg=1024)
    some = (frequencies > 1 / 128) & (frequencies < 1 / 4)
    return np.polyfit(np.log2(frequencies[some]), 10 * np.log10(powers[some]), 1)[0]


def test_slopes_of_spectra():
    rng = np.random.default_rng(0)
    assert slope(white_noise(200_000, rng)) == pytest.approx(0, abs=0.1)
    assert slope(pink_noise(200_000, rng)) == pytest.approx(-10 * np.log10(2), abs=0.1)


def test_noise_has_the_spectrum_of_the_speech():
    rng = np.random.default_rng(0)
    # Two tones and a little noise; what is louder counts more.
    time = np.arange(40_000)
    sources = [
        scale * np.sin(2 * np.pi * f * time) + noise(len(time), 1, 0.01)
        for scale, f in ((1, 0.1), (0.1, 0.3))
    ]
    found = speech_shaped_noise(100_001, sources, rng)
    assert found.shape == (100_001,)
    _, powers = long_term_spectrum(found)
    _, expected = long_term_spectrum(np.concatenate(sources))
    total, wanted = powers.sum(), expected.sum()
    # A band around each tone, as windows widen it, and the floor between.
    for low, high in ((45, 58), (148, 160), (80, 130)):
        part = powers[low:high].sum() / total
        assert part == pytest.approx(expected[low:high].sum() / wanted, rel=0.15)


def test_long_term_spectrum_is_welchs():
    samples = noise(512 * 20) + 3
    frequencies, powers = welch(samples, nperseg=512, noverlap=0)
    found_frequencies, found = long_term_spectrum(samples)
    assert found_frequencies == pytest.approx(frequencies)
    ratios = found[1:-1] / powers[1:-1]  # of which Welch's are one-sided, and in other units
    assert ratios == pytest.approx(ratios[0])


@given(SIZES, st.lists(st.integers(1, 300), min_size=1, max_size=4), st.integers(0, 99))
def test_babble_is_the_sum_of_pieces_of_equal_power(size, lengths, seed):
    sources = [noise(n, n, scale=1 + n) for n in lengths]
    found = babble(size, sources, np.random.default_rng(seed))
    assert found.shape == (size,)
    rng = np.random.default_rng(seed)
    alone = [babble(size, [source], rng) for source in sources]
    assert found == pytest.approx(sum(alone))
    for piece, source in zip(alone, sources, strict=True):
        assert mean_power(piece) == pytest.approx(1)
        assert is_piece(piece, source)


def is_piece(piece, source):
    """Whether it is the source, over and over, from some place on, at some loudness."""
    repeated = np.resize(source, len(source) + len(piece))
    starts = (repeated[start : start + len(piece)] for start in range(len(source)))
    return any(
        np.allclose(piece, other / np.sqrt(mean_power(other))) for other in starts if other.any()
    )


def test_a_pause_in_the_babble_adds_nothing():
    speech = noise(10)
    assert not babble(5, [np.zeros(10)], np.random.default_rng(0)).any()
    both = babble(10, [np.zeros(10), speech], np.random.default_rng(0))
    assert both == pytest.approx(speech / np.sqrt(mean_power(speech)))
