"""Scorers by what a configuration file says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from espnet_ssr.conf import build_from_conf
from espnet_ssr.evaluate.asr import WhisperTranscriber
from espnet_ssr.evaluate.choice.item import Scorer
from espnet_ssr.evaluate.choice.scorers.cascade import CascadeScorer
from espnet_ssr.evaluate.choice.scorers.controls import (
    Chance,
    MeanEmbeddingScorer,
    permute_embeddings,
)
from espnet_ssr.evaluate.choice.scorers.rival import VectorsScorer
from espnet_ssr.evaluate.choice.scorers.speech import TRANSCRIPTS, SpeechLMScorer
from espnet_ssr.evaluate.choice.scorers.text import TextScorer
from espnet_ssr.jobs import stamp
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.llm.tokenizer import load_tokenizer
from espnet_ssr.speech_lm.api import SpeechLM


def _text(device: str, llm: str, dtype: str = "float32") -> Scorer:
    return TextScorer(*_load(llm, dtype, device))


def _words(device: str, llm: str, dtype: str = "float32") -> Scorer:
    return TextScorer(*_load(llm, dtype, device), TRANSCRIPTS["normalised"])


def _permuted(device: str, llm: str, dtype: str = "float32", seed: int = 0) -> Scorer:
    model, tokenizer = _load(llm, dtype, device)
    permute_embeddings(model, seed)
    return TextScorer(model, tokenizer)


def _mean(device: str, llm: str, dtype: str = "float32") -> Scorer:
    return MeanEmbeddingScorer(*_load(llm, dtype, device))


def _cascade(
    device: str,
    llm: str,
    transcriber: str,
    cache_dir: str,
    dtype: str = "float32",
    transcriber_conf: dict | None = None,
) -> Scorer:
    conf = transcriber_conf or {}
    whisper = WhisperTranscriber(transcriber, device, language="en", **conf)
    name = "_".join([Path(transcriber).name, *(f"{key}={value}" for key, value in conf.items())])
    return CascadeScorer(*_load(llm, dtype, device), whisper, Path(cache_dir) / name)


def _forced(
    device: str, model: str, model_conf: dict | None = None, transcript: str = "written"
) -> Scorer:
    if transcript not in TRANSCRIPTS:
        raise ValueError(f"transcript: {transcript!r} is none of {', '.join(TRANSCRIPTS)}")
    lm = SpeechLM.from_pretrained(model, device, **(model_conf or {}))
    return SpeechLMScorer(lm, forced=True, transcript=TRANSCRIPTS[transcript])


def _textless(device: str, model: str, model_conf: dict | None = None) -> Scorer:
    lm = SpeechLM.from_pretrained(model, device, **(model_conf or {}))
    return SpeechLMScorer(lm, forced=False)


def _vectors(device: str, model: str, model_conf: dict | None = None) -> Scorer:
    lm = SpeechLM.from_pretrained(model, device, **(model_conf or {}))
    return VectorsScorer(lm.llm, lm.tokenizer, lm.embed)


def _chance(device: str) -> Scorer:
    return Chance()


def _load(llm: str, dtype: str, device: str):
    return load_language_model(llm, dtype).to(device), load_tokenizer(llm)


SCORERS: dict[str, Callable[..., Scorer]] = {
    "chance": _chance,
    "mean": _mean,
    "permuted": _permuted,
    "text": _text,
    "words": _words,
    "cascade": _cascade,
    "forced": _forced,
    "textless": _textless,
    "vectors": _vectors,
}
"""What a configuration calls them; in this order they stand in tables."""


def build_scorer(kind: str, conf: dict, device: str = "cpu") -> Scorer:
    """Load a scorer.

    Args:
        kind: a key of ``SCORERS``.
        conf: its options: ``llm``, or ``model`` and ``model_conf``, options of
            ``SpeechLM.from_pretrained`` (of a checkpoint that was not packed, its ``aligner``).

    Raises:
        ValueError: names the option that is unknown or missing.
    """
    if kind not in SCORERS:
        raise ValueError(f"scorer: {kind!r} is none of {', '.join(SCORERS)}")
    return build_from_conf(SCORERS[kind], conf, f"scorer {kind}", device=device)


def describe_scorer(kind: str, conf: dict) -> dict:
    """What all answers of a scorer depend on; of files of its own, which version they are."""
    named = {**conf, **(conf.get("model_conf") or {})}
    paths = [Path(named[key]) for key in ("model", "aligner") if key in named]
    folders = [file for path in paths if path.is_dir() for file in sorted(path.iterdir())]
    files = [path for path in (*paths, *folders) if path.is_file()]
    return {"scorer": kind, **conf, "files": {str(file): stamp(file) for file in files}}
