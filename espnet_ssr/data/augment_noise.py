"""Noises, and speech in them at a given ratio of powers.

Powers are means over the whole utterance, pauses included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.fft

PEAK = 32767 / 32768
"""The largest sample of 16 bit audio."""

WINDOW = 512  # samples of the windows that spectra are averaged over, 32 ms at 16 kHz


def mean_power(samples: np.ndarray) -> float:
    """Mean square of samples ``(N,)``; 0 if there are none."""
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0


def add_at_snr(speech: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """Speech with noise, whose loudness is changed so that the ratio of their powers is ``snr``.

    Args:
        speech, noise: ``(N,)``, neither silent.
        snr: dB.

    Returns:
        ``(N,)``, float64; may be larger than 1, see `fit_in_range`.

    Raises:
        ValueError: one of them is silent.
    """
    powers = mean_power(speech), mean_power(noise)
    if not all(powers):
        raise ValueError(f"the {'noise' if powers[0] else 'speech'} is silent")
    gain = np.sqrt(powers[0] / powers[1] * 10 ** (-snr / 10))
    return speech + gain * noise


def fit_in_range(samples: np.ndarray) -> np.ndarray:
    """The same less loud if 16 bits would clip it, which would change the ratio of powers."""
    peak = np.max(np.abs(samples), initial=0.0)
    return samples * (PEAK / peak) if peak > PEAK else samples


def white_noise(num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise ``(num_samples,)`` of equal power at all frequencies."""
    return rng.standard_normal(num_samples)


def pink_noise(num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise ``(num_samples,)`` whose power falls as 1/f: 3 dB an octave."""

    def power(frequencies: np.ndarray) -> np.ndarray:
        # The mean of the signal, f = 0, is no sound.
        return np.divide(1, frequencies, out=np.zeros_like(frequencies), where=frequencies > 0)

    return shaped_noise(num_samples, power, rng)


def speech_shaped_noise(
    num_samples: int, sources: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Stationary noise ``(num_samples,)`` with the long-term spectrum of ``sources``, speech
    ``(M,)`` each."""
    # One behind the other: loud ones count more, as in what somebody would measure in a room.
    measured, powers = long_term_spectrum(np.concatenate(sources))
    return shaped_noise(num_samples, lambda f: np.interp(f, measured, powers), rng)


def long_term_spectrum(speech: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in cycles a sample, and the mean power of speech ``(M,)`` at each, in Hann
    windows of ``WINDOW`` samples without their means. The last one is filled up with zeros."""
    # scipy's welch calls Python code for each window: twenty times as slow.
    windows = np.pad(speech, (0, -len(speech) % WINDOW)).reshape(-1, WINDOW)
    windows = windows - windows.mean(axis=1, keepdims=True)
    spectra = scipy.fft.rfft(windows * np.hanning(WINDOW + 1)[:-1], axis=1)
    return scipy.fft.rfftfreq(WINDOW), np.mean(np.square(np.abs(spectra)), axis=0)


def shaped_noise(
    num_samples: int, power: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Gaussian noise ``(num_samples,)`` with a spectrum.

    Args:
        power: of frequencies in cycles a sample, 0 to 0.5; its scale does not matter.
    """
    size = scipy.fft.next_fast_len(num_samples + num_samples % 2, real=True)
    spectrum = scipy.fft.rfft(rng.standard_normal(size))
    spectrum *= np.sqrt(power(scipy.fft.rfftfreq(size)))
    return scipy.fft.irfft(spectrum, size)[:num_samples]


def babble(num_samples: int, sources: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Several utterances ``(num_samples,)`` at a time, equally loud.

    Args:
        sources: speech ``(M,)`` of each, none silent. Of a longer one a piece is drawn; a shorter
            one is repeated, from a place that is drawn.
    """
    total = np.zeros(num_samples)
    for source in sources:
        start = rng.integers(max(len(source) - num_samples, 0) + 1)
        if len(source) < num_samples:
            start = rng.integers(len(source))
            piece = np.resize(np.roll(source, -start), num_samples)
        else:
            piece = source[start : start + num_samples]
        if power := mean_power(piece):  # of a long pause there is nothing to add
            total += piece / np.sqrt(power)
    return total
