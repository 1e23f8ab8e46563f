"""What a synthetic voice is to the rest: a speaker's name, a rate, texts it can read, speech."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from espnet_ssr.text import normalize_text

if TYPE_CHECKING:
    import onnxruntime


class Refused(ValueError):
    """A text cannot be read, or not so that what is said is known; who asked does without it and
    counts ``cause``: of any voice ``no_words not_plain unknown_phoneme``, of piper ``split_word
    merged_words``, of Kokoro ``too_long``, of a command ``command_failed``; of `verbalize` see
    there."""

    def __init__(self, cause: str, message: str):
        super().__init__(message)
        self.cause = cause


class Phone(NamedTuple):
    """A phoneme, or several with their marks, and its samples ``[begin, end)``."""

    label: str
    begin: int
    end: int


class Reading(NamedTuple):
    """What a voice has to be given for a text, and whether it will tell the times of its words."""

    text: str
    has_times: bool = False


class Speech(NamedTuple):
    """Samples ``(N,)``, int16, and the phones of each word; None where their times are unknown."""

    samples: np.ndarray
    words: list[list[Phone]] | None


class Voice(ABC):
    """A speaker.

    Attributes:
        name: that of ``utt2spk``.
        version: what its speech depends on beside the reading and the seed: engine, model.
        sample_rate: in Hz.
        has_times: its speech comes with the phones of each word, for all that it can read so.
        uses_seed: another seed gives other speech.
    """

    name: str
    version: str
    sample_rate: int
    has_times: bool
    uses_seed: bool = True

    @abstractmethod
    def read(self, text: str) -> Reading:
        """What `speak` has to be given, so that the words of ``text`` are said.

        Raises:
            Refused: the voice cannot read it.
        """

    @abstractmethod
    def speak(self, reading: Reading, seed: int = 0) -> Speech:
        """Synthesize what `read` returned; the same reading and seed give the same speech.

        Raises:
            Refused: it turns out that the voice cannot.
        """


def plain_words(text: str) -> list[str]:
    """The words of a text that can be read in one way only, normalised.

    Raises:
        Refused: there is none, or something that can be read in several ways.
    """
    words = normalize_text(text).split()
    if not words:
        raise Refused("no_words", f"nothing to say: {text}")
    if "".join(words).replace("'", "") != re.sub("[^a-z]", "", text.lower()):
        raise Refused("not_plain", f"digits, symbols and remarks can be read in many ways: {text}")
    return words


def open_session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """Load an ONNX model.

    Raises:
        ValueError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise missing_module(error) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # with more, the last bits depend on their number
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])


def hash_files(*paths: Path) -> str:
    """A short hash of the contents of files, to tell a model from its other versions."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def missing_module(error: ModuleNotFoundError) -> ValueError:
    """What to do about a package that only voices need."""
    return ValueError(f"no module {error.name}: run 'make -C tools voices'")
