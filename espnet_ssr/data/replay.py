"""Pieces of a text to be trained on beside speech, so that the LLM does not forget what it can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from espnet_ssr.llm.prompt import start_tokens

BYTES_PER_TOKEN = 8  # more than enough of most texts: about 4 to 5


class TextReplay:
    """Draws pieces of a text file of any size, which is read where they are only.

    Args:
        file: UTF-8 text; pieces begin at the beginning of a line and run over its end.
        tokenizer: the LLM's.
        ratio: tokens of text for each token of speech, on average.
        length: tokens of a piece; short ones teach little. Only some utterances get one.

    Raises:
        ValueError: the file is not there or empty.
    """

    def __init__(
        self, file: str, tokenizer: PreTrainedTokenizerBase, ratio: float = 1.0, length: int = 64
    ):
        self._path = Path(file)
        if not self._path.is_file() or not self._path.stat().st_size:
            raise ValueError(f"replay_conf: file: {file}: no such file, or nothing in it")
        self._tokenizer = tokenizer
        self._start = start_tokens(tokenizer)
        self._ratio = ratio
        self._length = length

    def draw(self, num_tokens: int) -> np.ndarray:
        """What an utterance of ``num_tokens`` tokens gets: ids ``(R,)``, ``(0,)`` more often than
        not. The chance is NumPy's global one, which ESPnet seeds anew in every epoch and worker.
        """
        wanted = self._ratio * num_tokens
        length = max(self._length, round(wanted))
        if np.random.random() >= wanted / length:
            return np.zeros(0, dtype=np.int64)
        text = self._read(np.random.randint(self._path.stat().st_size), length)
        ids = self._tokenizer(text, add_special_tokens=False).input_ids
        return np.array((self._start + ids)[:length], dtype=np.int64)

    def _read(self, place: int, length: int) -> str:
        """Lines from the first one that begins at or after ``place``, or from the file's first."""
        with open(self._path, "rb") as stream:
            if place:
                stream.seek(place - 1)
                stream.readline()
            lines = stream.read(length * BYTES_PER_TOKEN)
            if not lines:
                stream.seek(0)
                lines = stream.read(length * BYTES_PER_TOKEN)
        # The last character may be cut.
        return lines.decode("utf-8", errors="ignore")
