"""One segment for each LLM token of a transcript, or for each word that an aligner hears."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from transformers import BatchEncoding, PreTrainedTokenizerBase

from espnet_ssr.align.abs import AbsAligner, AlignError, AlignUtterance, Levels
from espnet_ssr.align.alignment import Span
from espnet_ssr.align.project import ProjectError, project_to_tokens, split_words
from espnet_ssr.llm.tokenizer import tokenize_transcript


class Segments(NamedTuple):
    """Of an utterance; all empty where the aligner hears no words.

    Attributes:
        text: the transcript, or the aligner's guess.
        words: of it, with times in seconds.
        token_end: end of each segment in seconds; empty if there is no aligner.
        token_id: LLM tokens of the transcript, one a segment; empty if there is no transcript.
    """

    text: str = ""
    words: tuple[Span, ...] = ()
    token_end: tuple[float, ...] = ()
    token_id: tuple[int, ...] = ()


def join_segments(parts: Iterable[tuple[float, Segments]]) -> Segments:
    """Those of windows, each with its start in seconds, as those of the whole."""
    parts = list(parts)
    words = [
        replace(word, start=word.start + start, end=word.end + start)
        for start, part in parts
        for word in part.words
    ]
    return Segments(
        " ".join(part.text for _, part in parts if part.text),
        tuple(words),
        tuple(end + start for start, part in parts for end in part.token_end),
        tuple(i for _, part in parts for i in part.token_id),
    )


class Segmenter:
    """Aligns, and projects alignments to LLM tokens.

    Args:
        aligner: None: there are tokens of transcripts, but no times.
        tokenizer: the LLM's.
        prefix_space: of the segments that the connector was trained on (``ssr_segment``).
        textless_unit: without a transcript, a segment for each guessed ``word``, or for each
            ``token`` of the guess. A guess that is misspelt has more tokens than the right word.
    """

    def __init__(
        self,
        aligner: AbsAligner | None,
        tokenizer: PreTrainedTokenizerBase,
        prefix_space: bool = True,
        textless_unit: str = "word",
    ):
        if textless_unit not in ("word", "token"):
            raise ValueError(f"textless_unit must be word or token, not {textless_unit!r}")
        self.aligner = aligner
        self._tokenizer = tokenizer
        self._prefix_space = prefix_space
        self._textless_unit = textless_unit

    def check(self, name: str, text: str | None) -> None:
        """Raise a ValueError if such an utterance cannot be segmented; it says the way out."""
        if self.aligner is None:
            raise ValueError(
                f"{name}: segments need an aligner: from_pretrained(..., aligner='exp/align_.../"
                "valid.loss.ave.pth'), a CTC one for speech without text"
            )
        if text is None and not self.aligner.textless:
            raise ValueError(
                f"{name}: {type(self.aligner).__name__} needs transcripts: give the text, or "
                "an aligner that guesses (CTC)"
            )

    def segment(self, utterances: list[AlignUtterance], seconds: list[float]) -> list[Segments]:
        """Segments of some utterances of like length.

        Args:
            seconds: duration of each.

        Raises:
            ValueError: a transcript cannot be aligned.
        """
        aligned = self.aligner.align_batch(utterances)
        given = zip(utterances, aligned, seconds, strict=True)
        return [self._project(*utterance) for utterance in given]

    def tokens(self, text: str | None) -> Segments:
        """Tokens of a transcript, if there is one, without times."""
        if text is None:
            return Segments()
        return Segments(text, token_id=tuple(self._encode(text)[1]["input_ids"]))

    def _project(
        self, utterance: AlignUtterance, levels: Levels | AlignError, seconds: float
    ) -> Segments:
        known = utterance.text is not None
        if isinstance(levels, AlignError):
            if not known and levels.cause == "no_speech":
                return Segments()
            raise ValueError(f"{utterance.utt_id}: {levels.cause}: {levels}")
        words, parts = levels["word"], levels.get("char") or levels.get("phone")
        text = utterance.text if known else " ".join(span.label for span in words.spans)
        spelled, encoded = self._encode(text)
        by_word = not known and self._textless_unit == "word"
        offsets = split_words(spelled) if by_word else encoded["offset_mapping"]
        try:
            ends = project_to_tokens(spelled, offsets, words, parts, seconds)
        except ProjectError as error:
            raise ValueError(str(error)) from None
        ids = encoded["input_ids"] if known else ()
        return Segments(text, tuple(words.spans), tuple(ends), tuple(ids))

    def _encode(self, text: str) -> tuple[str, BatchEncoding]:
        """What is tokenized, and its tokens: as ``ssr_segment`` does it."""
        return tokenize_transcript(text, self._tokenizer, self._prefix_space)
