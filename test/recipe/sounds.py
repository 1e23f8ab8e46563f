"""Short audio files for corpora to be imported."""

import numpy as np
import soundfile


def write_tone(path, seconds=0.1, rate=16000, channels=1):
    """An audio file in the format that its ending says, in any case."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.sin(np.arange(round(rate * seconds)) / 10)
    format_name = {".ogg": "OGG", ".mp3": "MP3", ".flac": "FLAC"}.get(path.suffix.lower(), "WAV")
    soundfile.write(path, np.stack([samples] * channels, axis=1), rate, format=format_name)
    return path


def write_noise(path, seconds):
    """Noise that is another one in each file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path))).normal(0, 0.1, round(16000 * seconds))
    soundfile.write(path, noise, 16000)
