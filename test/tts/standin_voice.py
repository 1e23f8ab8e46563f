"""A voice for tests of the cache."""

import numpy as np

from espnet_ssr.tts.voice import Phone, Reading, Speech, Voice, plain_words


class StandInVoice(Voice):
    """A word lasts 0.1 s; counts what it says. Word times are known to "ann" alone."""

    sample_rate = 22050

    def __init__(self, name, version="1"):
        self.name, self.version = name, f"{name} {version}"
        self.has_times = name == "ann"
        self.said = []

    def read(self, text):
        plain_words(text)
        return Reading(text, self.has_times)

    def speak(self, reading, seed=0):
        self.said.append((reading.text, seed))
        step = self.sample_rate // 10
        edges = range(0, step * len(plain_words(reading.text)), step)
        words = [[Phone("x", edge, edge + step)] for edge in edges]
        loudness = 1000 * (seed + 1)
        samples = np.full(step * len(words), loudness, np.int16)
        return Speech(samples, words if self.has_times else None)


class StandInTranscriber:
    """Hears what ``hear(samples)`` says; counts clips."""

    def __init__(self, hear):
        self.hear, self.count = hear, 0

    def transcribe(self, audio):
        self.count += len(audio)
        return [self.hear(samples) for samples in audio]
