"""Audio as users have it: what is refused, what is converted, where long audio is cut."""

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.speech_lm.audio import Speech, find_windows, load_speech

RATE = 16000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)


def load(wav, **options):
    return load_speech(Speech(wav, **options), "speech[3]", RATE)


def test_floats_come_as_they_are():
    assert load(TONE) is TONE
    np.testing.assert_array_equal(load(TONE.astype(np.float64)), TONE)
    np.testing.assert_array_equal(load(torch.from_numpy(TONE).requires_grad_()), TONE)
    half = load(torch.from_numpy(TONE).bfloat16())
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, TONE, atol=2e-3)


def test_int16_is_scaled():
    np.testing.assert_array_equal(load(np.array([-32768, 16384], dtype=np.int16)), [-1, 0.5])
    np.testing.assert_array_equal(load(torch.tensor([16384], dtype=torch.int16)), [0.5])


def test_8_khz_is_resampled_if_it_is_said():
    found = load(TONE[::2].copy(), sample_rate=8000)
    assert len(found) == RATE
    np.testing.assert_allclose(found[2000:-2000], TONE[2000:-2000], atol=0.01)


def test_a_file_of_two_channels_and_another_rate_is_mixed_and_resampled(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([TONE[::2], 0 * TONE[::2]], 1), 8000, "FLOAT")
    # A file knows its own rate.
    found = load(tmp_path / "a.wav", sample_rate=44100)
    assert len(found) == RATE
    np.testing.assert_allclose(found[2000:-2000], TONE[2000:-2000] / 2, atol=0.01)
    np.testing.assert_array_equal(load(str(tmp_path / "a.wav")), found)


def with_nan():
    samples = TONE.copy()
    samples[7] = np.nan
    return samples


@pytest.mark.parametrize(
    ("wav", "message"),
    [
        (TONE[:0], "the audio is empty"),
        (np.stack([TONE, TONE]), r"samples of shape \(2, 16000\): give one channel"),
        (torch.zeros(5, 2), r"samples of shape \(5, 2\)"),
        (with_nan(), "NaN or infinite"),
        (torch.tensor([0.0, float("inf")]), "NaN or infinite"),
        (np.array([1, 2]), "floats in .* or int16, not int64"),
        ("nowhere.wav", "nowhere.wav"),
    ],
)
def test_bad_audio_is_refused_by_name(wav, message):
    with pytest.raises(ValueError, match=rf"speech\[3\]: .*{message}"):
        load(wav)


def test_bad_rates_and_types_are_refused():
    with pytest.raises(ValueError, match="sample_rate must be positive"):
        load(TONE, sample_rate=0)
    with pytest.raises(TypeError, match=r"speech\[3\]: .* not dict"):
        load({"array": TONE})


def test_bad_files_are_refused_by_name(tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "empty.wav", TONE[:0], RATE)
    soundfile.write(tmp_path / "nan.wav", with_nan(), RATE, "FLOAT")
    for name, message in [
        ("text", r"unreadable_audio: .*text\.wav"),
        ("empty", "the audio is empty"),
        ("nan", r"not_finite: .*nan\.wav"),
    ]:
        with pytest.raises(ValueError, match=rf"speech\[3\]: {message}"):
            load(tmp_path / f"{name}.wav")


@given(st.integers(1, 40_000), st.integers(0, 100))
def test_windows_cover_everything_once(size, seed):
    samples = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    windows = find_windows(samples, 100)
    assert [b for b, _ in windows] == [0, *(e for _, e in windows[:-1])]
    assert windows[-1][1] == size
    assert all(0 < e - b <= 3000 for b, e in windows)
    assert all(e - b >= 2500 for b, e in windows[:-1])


def test_windows_end_where_it_is_quiet():
    samples = np.ones(4000, dtype=np.float32)
    samples[2700:2720] = 0
    assert find_windows(samples, 100) == [(0, 2710), (2710, 4000)]
    # Nothing is quieter than the rest: windows are as long as they may be.
    (_, end), _ = find_windows(np.zeros(4000, dtype=np.float32), 100)
    assert end == 2990
