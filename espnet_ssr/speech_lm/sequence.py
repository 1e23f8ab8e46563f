"""Texts and speech in one row of vectors that the LLM reads."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import start_tokens
from espnet_ssr.speech_lm.audio import Speech, Wave
from espnet_ssr.speech_lm.listener import Heard, Listener

MARK = "<speech>"

Part = str | Speech
Mixed = str | Speech | Wave | Sequence["str | Speech | Wave"]
"""Text, audio, or a list of both. A ``str`` is text: an audio file is a ``Path`` or ``Speech``."""


def as_speech(wav: Speech | Wave, sample_rate: int = 16000, text: str | None = None) -> Speech:
    """``wav`` as it is if it is a ``Speech`` already, which has a rate and a text of its own."""
    if not isinstance(wav, Speech):
        return Speech(wav, sample_rate, text)
    if text is not None:
        raise ValueError("Speech has its own text: Speech(wav, text=...)")
    return wav


def as_parts(mixed: Mixed) -> list[Part]:
    """Texts and speech one behind the other.

    Raises:
        ValueError: a text has a mark for speech.
    """
    items = mixed if isinstance(mixed, (list, tuple)) else [mixed]
    for item in items:
        if isinstance(item, str) and MARK in item:
            raise ValueError(f"{item!r}: put the audio into the list itself, not {MARK}")
        if not isinstance(item, (str, Speech, os.PathLike, np.ndarray, torch.Tensor)):
            raise TypeError(f"neither text nor audio: {type(item).__name__}")
    return [item if isinstance(item, str) else as_speech(item) for item in items]


def fill_marks(prompt: str, speech: Sequence[Speech | Wave]) -> list[Part]:
    """A prompt's texts with speech in place of its marks.

    Raises:
        ValueError: there are not as many marks as utterances.
    """
    first, *texts = prompt.split(MARK)
    if len(texts) != len(speech):
        raise ValueError(
            f"prompt {prompt!r} has {len(texts)} {MARK} for {len(speech)} utterances: it needs "
            "one for each"
        )
    return [first, *(p for wav, text in zip(speech, texts, strict=True) for p in (wav, text))]


def hear_parts(rows: Sequence[Sequence[Part]], listener: Listener) -> list[list[str | Heard]]:
    """The rows with all speech heard, as one batch."""
    found = listener.hear([p for row in rows for p in row if isinstance(p, Speech)])
    for n, part in enumerate(found):
        if not len(part.vectors):
            logging.warning(f"speech[{n}]: no words are heard: the LLM reads nothing for it")
    heard = iter(found)
    return [[next(heard) if isinstance(p, Speech) else p for p in row] for row in rows]


class SequenceBuilder:
    """Builds rows. Each text is tokenized by itself, so that none changes what is next to it.

    Args:
        llm: reads them; tokenizer: its own.
    """

    def __init__(self, llm: LanguageModel, tokenizer: PreTrainedTokenizerBase):
        self._llm = llm
        self._tokenizer = tokenizer
        self._start = start_tokens(tokenizer)
        self.limit = getattr(llm.model.config, "max_position_embeddings", None)

    def begin(self, parts: Sequence[str | Heard]) -> torch.Tensor:
        """Vectors ``(L, H)`` with what the tokenizer puts before every text, once, L maybe 0."""
        first = self._encode(parts[0]) if parts and isinstance(parts[0], str) else []
        start = [] if first[: len(self._start)] == self._start else self._start
        return torch.cat([self._llm.embed(start), self.vectors(parts)])

    def vectors(self, parts: Sequence[str | Heard]) -> torch.Tensor:
        """``(L, H)``, one for each token of text and each vector of speech."""
        device, dtype = self._llm.device, self._llm.dtype
        rows = [
            self._llm.embed(self._encode(part))
            if isinstance(part, str)
            else part.vectors.to(device, dtype)
            for part in parts
        ]
        return torch.cat([self._llm.embed([]), *rows])

    def tokens(self, parts: Sequence[str | Heard]) -> torch.Tensor:
        """The token ``(L,)`` that each of ``vectors`` stands for.

        Of speech without a transcript these are the nearest ones.
        """
        ids: list[int] = []
        for part in parts:
            if isinstance(part, str):
                ids += self._encode(part)
            else:
                ids += part.segments.token_id or self.nearest(part.vectors).tolist()
        return torch.tensor(ids, dtype=torch.long, device=self._llm.device)

    def nearest(self, vectors: torch.Tensor) -> torch.Tensor:
        """The token ``(N,)``, on the CPU, whose embedding has the largest centred cosine to each
        vector ``(N, H)``."""
        return self._space.nearest(vectors.to(self._llm.device)).cpu()

    @cached_property
    def _space(self) -> EmbeddingSpace:
        # Only if it is needed: it is a copy of the embeddings, in float32.
        return EmbeddingSpace(self._llm.embedding_matrix())

    def check_length(self, positions: int, what: str) -> None:
        """Raise a ValueError if so many do not fit into the LLM's context."""
        if self.limit is not None and positions > self.limit:
            raise ValueError(
                f"{what} takes {positions} positions; the LLM's context has {self.limit}"
            )

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer(text, add_special_tokens=False).input_ids
