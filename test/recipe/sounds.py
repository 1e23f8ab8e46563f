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
