"""Transcripts by Whisper: what a cascade of recogniser and LLM reads, and a check of speech that a
voice made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import (
    AutoFeatureExtractor,
    AutoTokenizer,
    BatchFeature,
    WhisperForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutput

from espnet_ssr.datadir import read_audio, write_keyed
from espnet_ssr.encoder.whisper import encode_windows
from espnet_ssr.evaluate.embedding import error_rates
from espnet_ssr.pretrained import resolve_model
from espnet_ssr.progress import Progress
from espnet_ssr.text import plain

WINDOW_SECONDS = 30.0  # of Whisper's input, silence included
SILENCE_SECONDS = 2.0  # behind the longest clip of a batch in shorter windows
MAX_TOKENS_A_SECOND = 8  # of speech; who says more goes round in circles
MAX_TASK_TOKENS = 4  # before the text


class WhisperTranscriber:
    """Greedy decoding with Whisper from Hugging Face.

    Args:
        model: a local folder, a folder's name below ``$SSR_MODELS``, or a hub id.
        device: torch device.
        batch_size: windows at a time.
        language: of the speech, for a multilingual model; None: it guesses, for each window.
        dtype: of weights and states, a name of torch's.
        window_seconds: clips are padded with silence to this, or to the longest of a batch. Whisper
            was trained on 30 s; in shorter windows it is several times faster, and goes round in
            circles more often: then the clip is heard again in 30 s.
    """

    def __init__(
        self,
        model: str = "whisper-tiny.en",
        device: str = "cpu",
        batch_size: int = 16,
        language: str | None = None,
        dtype: str = "float32",
        window_seconds: float = WINDOW_SECONDS,
    ):
        path = resolve_model(model)
        whisper = WhisperForConditionalGeneration.from_pretrained(path, dtype=dtype)
        self._whisper = whisper.to(device).eval()
        self._extractor = AutoFeatureExtractor.from_pretrained(path)
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        self._batch_size = batch_size
        # Left to itself a multilingual model is told no task, and goes round in circles.
        multilingual = whisper.generation_config.is_multilingual
        self._task = {"task": "transcribe", "language": language} if multilingual else {}
        self._window_seconds = window_seconds
        self.sample_rate: int = self._extractor.sampling_rate

    @torch.inference_mode()
    def transcribe(self, audio: Sequence[np.ndarray]) -> list[str]:
        """Texts of samples ``(N,)``, punctuation included.

        Audio over 30 s is decoded window by window, each beginning where the last whole sentence
        of the one before ended (timestamps).
        """
        seconds = [len(samples) / self.sample_rate for samples in audio]
        texts: dict[int, str] = {}
        room = WINDOW_SECONDS - SILENCE_SECONDS
        if self._window_seconds < WINDOW_SECONDS:
            for batch in self._batches([n for n, s in enumerate(seconds) if s < room], seconds):
                found = self._decode_short([audio[n] for n in batch])
                texts |= {n: t for n, t in zip(batch, found, strict=True) if t is not None}
        rest = [n for n, s in enumerate(seconds) if s <= WINDOW_SECONDS and n not in texts]
        for batch in self._batches(rest, seconds):
            texts |= zip(batch, self._decode([audio[n] for n in batch]), strict=True)
        for n in set(range(len(audio))) - set(texts):
            texts[n] = self._decode([audio[n]], truncation=False, padding="longest")[0]
        return [texts[n] for n in range(len(audio))]

    def _batches(self, numbers: Sequence[int], seconds: Sequence[float]) -> list[list[int]]:
        """By length."""
        numbers, size = sorted(numbers, key=lambda n: seconds[n]), self._batch_size
        return [numbers[begin : begin + size] for begin in range(0, len(numbers), size)]

    def _decode(self, audio: Sequence[np.ndarray], **extraction) -> list[str]:
        inputs = self._extract(audio, return_attention_mask=True, **extraction)
        return self._texts(self._generate(return_timestamps=bool(extraction), **inputs))

    def _decode_short(self, audio: Sequence[np.ndarray]) -> list[str | None]:
        """In a window as short as allowed; None: more was written than anyone says."""
        longest = max(map(len, audio)) / self.sample_rate
        seconds = max(self._window_seconds, longest + SILENCE_SECONDS)
        num_samples = int(seconds * self.sample_rate)
        padded = [np.pad(samples, (0, num_samples - len(samples))) for samples in audio]
        mels = self._extract(padded, padding=False, truncation=False)["input_features"]
        states = encode_windows(self._whisper.get_encoder(), list(mels.transpose(1, 2)))
        limit = int(MAX_TOKENS_A_SECOND * longest) + 2 * MAX_TASK_TOKENS
        memory = BaseModelOutput(torch.stack(states))
        ids = self._generate(encoder_outputs=memory, max_length=limit)
        if ids.shape[1] < limit - MAX_TASK_TOKENS:
            return self._texts(ids)
        ended = (ids[:, -1] == self._tokenizer.eos_token_id).tolist()
        return [t if end else None for t, end in zip(self._texts(ids), ended, strict=True)]

    def _extract(self, audio: Sequence[np.ndarray], **options) -> BatchFeature:
        inputs = self._extractor(
            list(audio), sampling_rate=self.sample_rate, return_tensors="pt", **options
        )
        return inputs.to(self._whisper.device, self._whisper.dtype)

    def _generate(self, **inputs) -> torch.Tensor:
        return self._whisper.generate(**inputs, **self._task)

    def _texts(self, ids: torch.Tensor) -> list[str]:
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
