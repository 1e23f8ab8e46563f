"""The cascade: a recogniser writes down what is said, and an LLM reads that."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.choice.item import Part
from espnet_ssr.evaluate.choice.scorers.rows import Read, RowScorer
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.speech_lm.audio import Speech, load_speech
from espnet_ssr.tts.gate import Transcriber


class CascadeScorer(RowScorer):
    """Reads transcripts of spoken parts, of candidates as well as of contexts.

    Args:
        transcriber: writes them.
        cache_dir: of this transcriber: a file for each audio file, by the hash of its content.
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
        rate = self._transcriber.sample_rate
        audio = [load_speech(Speech(part.audio), str(part.audio), rate) for part in new.values()]
        texts = self._transcriber.transcribe(audio) if new else []
        for file, text in zip(new, texts, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_lines(file, [" ".join(text.split())])
        heard = [f.read_text(encoding="utf-8").strip() for f in files]
        return [self.read(p.spoken_as(text)) for p, text in zip(parts, heard, strict=True)]

    def _cache_file(self, audio: Path) -> Path:
        with open(audio, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return self._cache_dir / digest[:2] / f"{digest[2:]}.txt"
