"""Kokoro voices: one StyleTTS 2 model with an ISTFTNet decoder, and a table of styles a voice.

Phonemes are eSpeak's, changed as the package ``kokoro-js`` 1.2.1 does; the vocabulary has a token
for each character. A voice has a style of 256 numbers for every number of tokens.

Nothing in the model is random: another seed is another speed, as people vary it.

The model's durations are no word times: what is silent at a pause is a part of the phoneme before
it (325 ms for the /d/ of "expected, and"), so the end of the word there is not known.
"""

from __future__ import annotations

import json
import re
import unicodedata
from importlib.metadata import version
from pathlib import Path

import numpy as np

from espnet_ssr.tts.voice import (
    Reading,
    Refused,
    Speech,
    Voice,
    hash_files,
    missing_module,
    open_session,
    plain_words,
)

SAMPLE_RATE = 24000
STYLE_SIZE = 256
MAX_PHONEMES = 510  # 512 positions, two of which pad the sentence
PAD = 0
SPEEDS = 0.85, 1.15  # of other seeds than 0
# eSpeak's name of the language by the first letter of the voice's name.
LANGUAGES = {"a": "en-us", "b": "en"}
# Phonemes that the model was not trained on, and what is nearest to them.
NEAREST = str.maketrans({"ʲ": "j", "r": "ɹ", "x": "k", "ɬ": "l"})


class KokoroModel:
    """The model in ``folder`` (``model.onnx``, ``config.json``), which all its voices share.

    Raises:
        ValueError: it is not there, or a package that it needs is not installed.
    """

    def __init__(self, folder: Path):
        try:
            from piper.phonemize_espeak import EspeakPhonemizer
        except ModuleNotFoundError as error:
            raise missing_module(error) from None
        for name in ("model.onnx", "config.json"):
            if not (folder / name).is_file():
                raise ValueError(f"{folder}: no {name}: run 'make -C tools voices'")
        self.folder = folder
        self.session = open_session(folder / "model.onnx")
        files = hash_files(folder / "model.onnx", folder / "config.json")
        self.version = f"kokoro {files} piper {version('piper-tts')}"
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.vocabulary: dict[str, int] = config["vocab"]
        self.espeak = EspeakPhonemizer()

    def phonemize(self, text: str, language: str) -> str:
        """The phonemes and punctuation of ``text``, sentences parted by spaces."""
        sentences = self.espeak.phonemize(language, text)
        phonemes = " ".join("".join(symbols).strip() for symbols in sentences)
        phonemes = unicodedata.normalize("NFC", phonemes).translate(NEAREST)
        return re.sub(r"(?<=nˈaɪn)ti(?!ː)", "di", phonemes) if language == "en-us" else phonemes


class Kokoro(Voice):
    """The voice ``name`` of a model: ``voices/<name>.bin``.

    Raises:
        ValueError: there is no such voice, or it is not an English one.
    """

    sample_rate = SAMPLE_RATE
    has_times = False

    def __init__(self, model: KokoroModel, name: str):
        self.name, self.model = name, model
        path = model.folder / "voices" / f"{name}.bin"
        if name[:1] not in LANGUAGES or not path.is_file():
            found = " ".join(sorted(p.stem for p in path.parent.glob("[ab]*.bin")))
            raise ValueError(f"{path}: no such English voice; there are: {found}")
        self.language = LANGUAGES[name[0]]
        self.version = f"{model.version} {name} {hash_files(path)}"
        self.styles = np.fromfile(path, "<f4").reshape(-1, STYLE_SIZE)

    def read(self, text: str) -> Reading:
        plain_words(text)
        phonemes = self.model.phonemize(text, self.language)
        if unknown := sorted(set(phonemes) - self.model.vocabulary.keys()):
            raise Refused("unknown_phoneme", f"the voice lacks {unknown[0]!r}: {text}")
        longest = max(map(len, split_sentences(phonemes)))
        if longest > MAX_PHONEMES:
            raise Refused("too_long", f"{longest} phonemes, at most {MAX_PHONEMES}: {text}")
        return Reading(phonemes)

    def speak(self, reading: Reading, seed: int = 0) -> Speech:
        speed = np.random.default_rng(seed).uniform(*SPEEDS) if seed else 1.0
        parts = [self._speak(part, speed) for part in split_sentences(reading.text)]
        audio = np.concatenate(parts)
        return Speech((np.clip(audio, -1, 1) * 32767).astype(np.int16), None)

    def _speak(self, phonemes: str, speed: float) -> np.ndarray:
        tokens = [PAD, *(self.model.vocabulary[phoneme] for phoneme in phonemes), PAD]
        inputs = {
            "tokens": np.array([tokens], np.int64),
            "style": self.styles[min(len(phonemes), len(self.styles) - 1)][None],
            "speed": np.full(1, speed, np.float32),
        }
        return self.model.session.run(["audio"], inputs)[0].reshape(-1)


def split_sentences(phonemes: str) -> list[str]:
    """As few runs of whole sentences as the model can take, if each sentence is one it can."""
    parts: list[str] = []
    for sentence in re.split(r"(?<=[.!?]) ", phonemes):
        if parts and len(parts[-1]) + 1 + len(sentence) <= MAX_PHONEMES:
            parts[-1] += f" {sentence}"
        else:
            parts.append(sentence)
    return parts
