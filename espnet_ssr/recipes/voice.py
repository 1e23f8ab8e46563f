"""What a synthetic voice is to the rest: a speaker's name, a rate, texts it can read, speech."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from espnet_ssr.recipes.asterisk_text import normalize_text

if TYPE_CHECKING:
    import onnxruntime


class Refused(Exception):
    """A voice cannot read a text, or not so that what it says is known; the set does without it
    and counts ``cause``: ``no_words not_plain unknown_phoneme``, for piper also ``split_word
    merged_words``, for Kokoro ``too_long``."""

    def __init__(self, cause: str, message: str):
        super().__init__(message)
        self.cause = cause


class Phone(NamedTuple):
    """A phoneme, or several with their marks, and its samples ``[begin, end)``."""

    label: str
    begin: int
    end: int


class Speech(NamedTuple):
    """Samples ``(N,)``, int16, and the phones of each word; None where their times are unknown."""

    samples: np.ndarray
    words: list[list[Phone]] | None


class Voice(ABC):
    """A speaker: ``name`` (that of ``utt2spk``), ``sample_rate`` in Hz and ``has_times``, whether
    its speech comes with the phones of each word."""

    name: str
    sample_rate: int
    has_times: bool

    @abstractmethod
    def read(self, text: str) -> str:
        """What `speak` has to be given, so that the words of ``text`` are said.

        Raises:
            Refused: the voice cannot read it.
        """

    @abstractmethod
    def speak(self, reading: str) -> Speech:
        """Synthesize what `read` returned."""


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


def open_session(model: Path, seed: int) -> onnxruntime.InferenceSession:
    """Load an ONNX model; the same seed and inputs in the same order give the same outputs.

    Raises:
        ValueError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise missing_module(error) from None
    onnxruntime.set_seed(seed)  # of the noise in the sessions that are made from now on
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # with more, the last bits depend on their number
    return onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])


def missing_module(error: ModuleNotFoundError) -> ValueError:
    """What to do about a package that only voices need."""
    return ValueError(f"no module {error.name}: run 'make -C tools voices'")
