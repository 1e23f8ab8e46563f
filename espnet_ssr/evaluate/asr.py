"""Transcripts by Whisper: what a cascade of recogniser and LLM reads, and a check of speech that a
voice made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoTokenizer, WhisperForConditionalGeneration

from espnet_ssr.datadir import read_audio, write_keyed
from espnet_ssr.evaluate.embedding import error_rates
from espnet_ssr.evaluate.transcript import plain
from espnet_ssr.pretrained import resolve_model
from espnet_ssr.progress import Progress

WINDOW_SECONDS = 30.0  # of Whisper's input, silence included


class WhisperTranscriber:
    """Greedy decoding with Whisper from Hugging Face, as it was trained: padded to 30 s.

    Args:
        model: a local folder, a folder's name below ``$SSR_MODELS``, or a hub id.
        device: torch device.
        batch_size: windows of 30 s at a time.
        language: of the speech, for a multilingual model; None: it guesses, for each window.
    """

    def __init__(
        self,
        model: str = "whisper-tiny.en",
        device: str = "cpu",
        batch_size: int = 16,
        language: str | None = None,
    ):
        path = resolve_model(model)
        whisper = WhisperForConditionalGeneration.from_pretrained(path, dtype=torch.float32)
        self._whisper = whisper.to(device).eval()
        self._extractor = AutoFeatureExtractor.from_pretrained(path)
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        self._batch_size = batch_size
        # Left to itself a multilingual model is told no task, and goes round in circles.
        multilingual = whisper.generation_config.is_multilingual
        self._task = {"task": "transcribe", "language": language} if multilingual else {}
        self.sample_rate: int = self._extractor.sampling_rate

    @torch.inference_mode()
    def transcribe(self, audio: Sequence[np.ndarray]) -> list[str]:
        """Texts of samples ``(N,)``, punctuation included.

        Audio over 30 s is decoded window by window, each beginning where the last whole sentence
        of the one before ended (timestamps).
        """
        window = int(WINDOW_SECONDS * self.sample_rate)
        short = [n for n, samples in enumerate(audio) if len(samples) <= window]
        texts = {}
        for begin in range(0, len(short), self._batch_size):
            batch = short[begin : begin + self._batch_size]
            texts |= zip(batch, self._decode([audio[n] for n in batch]), strict=True)
        for n in set(range(len(audio))) - set(short):
            texts[n] = self._decode([audio[n]], truncation=False, padding="longest")[0]
        return [texts[n] for n in range(len(audio))]

    def _decode(self, audio: Sequence[np.ndarray], **extraction) -> list[str]:
        inputs = self._extractor(
            list(audio),
            sampling_rate=self.sample_rate,
            return_tensors="pt",
            return_attention_mask=True,
            **extraction,
        ).to(self._whisper.device)
        ids = self._whisper.generate(**inputs, **self._task, return_timestamps=bool(extraction))
        return [text.strip() for text in self._tokenizer.batch_decode(ids, True)]


def transcribe_shard(
    utt_ids: Sequence[str],
    folder: Path,
    final_folder: Path,
    progress: Progress,
    transcriber: WhisperTranscriber,
    wav_scp: Mapping[str, str],
    batch_size: int = 16,
) -> None:
    """Write ``text`` of a shard (see ``espnet_ssr.shards``)."""
    texts = {}
    for begin in range(0, len(utt_ids), batch_size):
        batch = utt_ids[begin : begin + batch_size]
        audio = [read_audio(wav_scp[u], transcriber.sample_rate) for u in batch]
        texts |= zip(batch, transcriber.transcribe(audio), strict=True)
        progress.update(len(batch))
    write_keyed(folder / "text", texts)


def score_texts(hypotheses: Mapping[str, str], references: Mapping[str, str]) -> dict[str, float]:
    """``wer`` and ``cer`` regardless of case and punctuation, and the number of utterances.

    Raises:
        ValueError: an utterance has no hypothesis.
    """
    if missing := sorted(references.keys() - hypotheses.keys()):
        raise ValueError(f"{len(missing)} utterances have no transcript: {missing[0]} ...")
    pairs = [(plain(text), plain(hypotheses[u])) for u, text in references.items()]
    wanted, found = map(list, zip(*pairs, strict=True))
    return {**error_rates(wanted, found), "utterances": len(pairs)}
