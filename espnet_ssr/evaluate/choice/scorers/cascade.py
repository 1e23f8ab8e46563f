"""The cascade: a recogniser writes down what is said, and an LLM reads that."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.choice.cost import Cost, cpu_seconds, share_cost
from espnet_ssr.evaluate.choice.item import Part
from espnet_ssr.evaluate.choice.scorers.rows import Read, RowScorer
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.speech_lm.audio import Speech, load_speech
from espnet_ssr.tts.gate import Transcriber


class Transcript(NamedTuple):
    """Attributes:
    text: on one line.
    cost: of writing it; None: not known.
    """

    text: str
    cost: Cost | None

    @staticmethod
    def read(file: Path) -> Transcript:
        """What ``write`` wrote; a file of a single line has no cost."""
        text, _, cost = file.read_text(encoding="utf-8").partition("\n")
        return Transcript(text.strip(), Cost(*map(float, cost.split())) if cost else None)

    def write(self, file: Path) -> None:
        """Text, and below it seconds of CPU time and of audio."""
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [self.text] if self.cost is None else [self.text, " ".join(map(str, self.cost))]
        write_lines(file, lines)


class CascadeScorer(RowScorer):
    """Reads transcripts of spoken parts, of candidates as well as of contexts.

    Args:
        transcriber: writes them.
        cache_dir: of this transcriber: a file for each audio file, by the hash of its content, with
            what it cost, as a transcript that is there already would seem to cost nothing.
    """

    def __init__(
        self,
        llm: LanguageModel,
        tokenizer: PreTrainedTokenizerBase,
        transcriber: Transcriber,
        cache_dir: Path,
    ):
        super().__init__(llm, tokenizer)
        self._transcriber = transcriber
        self._cache_dir = cache_dir

    def hear(self, parts: Sequence[Part]) -> list[Read]:
        files = [self._cache_file(Path(part.audio)) for part in parts]
        new = {f: part for f, part in zip(files, parts, strict=True) if not f.is_file()}
        for file, transcript in zip(new, self._transcribe(list(new.values())), strict=True):
            transcript.write(file)
        heard = [Transcript.read(file) for file in files]
        return [
            self.read(part.spoken_as(transcript.text))._replace(cost=transcript.cost)
            for part, transcript in zip(parts, heard, strict=True)
        ]

    def _transcribe(self, parts: Sequence[Part]) -> list[Transcript]:
        if not parts:
            return []
        begin, rate = cpu_seconds(), self._transcriber.sample_rate
        audio = [load_speech(Speech(part.audio), str(part.audio), rate) for part in parts]
        texts = [" ".join(text.split()) for text in self._transcriber.transcribe(audio)]
        costs = [None] * len(parts)
        if self.llm.device.type == "cpu":  # the recogniser is where the LLM is
            costs = share_cost(cpu_seconds() - begin, [part.audio for part in parts])
        return list(map(Transcript, texts, costs))

    def _cache_file(self, audio: Path) -> Path:
        with open(audio, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return self._cache_dir / digest[:2] / f"{digest[2:]}.txt"
