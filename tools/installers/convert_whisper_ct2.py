#!/usr/bin/env python3
"""Turn a CTranslate2 Whisper model, English-only or multilingual, into a Hugging Face folder.

The new folder is published only after its encoder agreed with CTranslate2's own encoder, and its
decoder with CTranslate2's own decoder, on the same audio.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from ctranslate2_file import read_model_file
from model_store import convert_model, join_parts
from whisper_weights import config_values, hugging_face_weights

SAMPLE_RATE = 16000
MAX_TOKENS = 40
MAX_DIFFERENCE = 2e-3  # the encoders agree to better than 1e-3 at a mean magnitude of 0.6


def speech_like_audio(seconds: float = 8.0, seed: int = 0) -> np.ndarray:
    """Harmonics of a gliding voice under moving formants, with pauses and a little noise."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.4 * time) + 10 * np.sin(2 * np.pi * 1.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = (
        (500 + 250 * np.sin(2 * np.pi * 2.1 * time), 90),
        (1500 + 600 * np.sin(2 * np.pi * 1.3 * time + 1), 140),
        (2600 + 200 * np.sin(2 * np.pi * 0.9 * time + 2), 200),
    )
    audio = np.zeros_like(time)
    for harmonic in range(1, 31):
        frequency = harmonic * pitch
        gain = sum(1 / (1 + ((frequency - centre) / width) ** 2) for centre, width in formants)
        audio += gain * np.sin(harmonic * phase)
    syllables = np.clip(1.5 * np.sin(2 * np.pi * 3.5 * time), 0, 1)
    pauses = (time % 2.5) < 2.0
    audio = audio * syllables * pauses
    audio += 1e-3 * np.random.default_rng(seed).standard_normal(len(time))
    return (0.3 * audio / np.abs(audio).max()).astype(np.float32)


def vocabulary_and_merges(source: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The byte-pair model inside ``tokenizer.json``, without its special tokens."""
    model = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    return model["vocab"], [tuple(merge.split(" ")) for merge in model["merges"]]


def read_tokens(source: Path) -> list[str]:
    """All tokens by number: ``vocabulary.txt`` has one line for each row of the embedding."""
    return (source / "vocabulary.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")


def write_processor(source: Path, folder: Path, mels: int) -> None:
    """Write the feature extractor and the tokenizer.

    ``tokenizer.json`` lacks the timestamp tokens, so the tokens above the byte-pair ones are
    taken from ``vocabulary.txt``.
    """
    from tokenizers import AddedToken
    from transformers import WhisperFeatureExtractor, WhisperTokenizer

    vocabulary, merges = vocabulary_and_merges(source)
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=merges)
    tokens = read_tokens(source)
    extra = tokens[len(vocabulary) :]
    tokenizer.add_tokens(
        [AddedToken(t, normalized=False, special=not is_timestamp(t)) for t in extra],
        special_tokens=False,
    )
    if tokenizer.convert_ids_to_tokens(list(range(len(tokens)))) != tokens:
        raise ValueError("the tokenizer numbers its tokens differently from vocabulary.txt")
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=mels).save_pretrained(folder)


def is_timestamp(token: str) -> bool:
    """Whether a token is one like ``<|12.34|>``."""
    return token[2:-2].replace(".", "", 1).isdigit()


def prompt(source: Path) -> list[int]:
    """The tokens before a transcript in English without timestamps."""
    tokens = read_tokens(source)
    task = ["<|en|>", "<|transcribe|>"] if is_multilingual(source) else []
    return list(map(tokens.index, ["<|startoftranscript|>", *task, "<|notimestamps|>"]))


def text_tokens(source: Path, tokens: list[int]) -> list[int]:
    """``tokens`` without the special ones, which are numbered after the others."""
    end = read_tokens(source).index("<|endoftext|>")
    return [token for token in tokens if token < end]


def is_multilingual(source: Path) -> bool:
    """Whether the model knows more languages than English (whose models lack one token)."""
    return len(read_tokens(source)) > 51864


def generation_values(source: Path) -> dict:
    """``GenerationConfig`` arguments of the model."""
    published = json.loads((source / "config.json").read_text(encoding="utf-8"))
    tokens = read_tokens(source)
    end, start = tokens.index("<|endoftext|>"), tokens.index("<|startoftranscript|>")
    values = {
        "bos_token_id": start,
        "eos_token_id": end,
        "pad_token_id": end,
        "decoder_start_token_id": start,
        "prev_sot_token_id": tokens.index("<|startofprev|>"),
        "no_timestamps_token_id": tokens.index("<|notimestamps|>"),
        "is_multilingual": is_multilingual(source),
        "max_length": 448,
        "suppress_tokens": published["suppress_ids"],
        "begin_suppress_tokens": published["suppress_ids_begin"],
        "alignment_heads": published["alignment_heads"],
    }
    if is_multilingual(source):
        tasks = ("transcribe", "translate")
        values["lang_to_id"] = {tokens[number]: number for number in published["lang_ids"]}
        values["task_to_id"] = {task: tokens.index(f"<|{task}|>") for task in tasks}
    return values


def write_model(source: Path, folder: Path) -> None:
    """Write weights, generation settings, feature extractor and tokenizer as one folder."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    if not (source / "model.bin").exists():
        join_parts(source, "model.bin", source / "model.bin")
    model_file = read_model_file(source / "model.bin")
    generation = generation_values(source)
    ends = {name: generation[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    ends["decoder_start_token_id"] = generation["decoder_start_token_id"]
    config = WhisperConfig(**config_values(model_file.variables), **ends)
    model = WhisperForConditionalGeneration(config)
    arrays = hugging_face_weights(model_file)
    state = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    model.generation_config = GenerationConfig(**generation)
    model.save_pretrained(folder)
    write_processor(source, folder, config.num_mel_bins)


def load_model(folder: Path):
    """Load the folder as its users will; no key may be missing or left over."""
    from transformers import WhisperForConditionalGeneration

    model, loading = WhisperForConditionalGeneration.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(loading.values()), f"{folder}: {loading}"
    return model.eval()


def prove(source: Path, folder: Path) -> dict:
    """Compare encoder output and greedy transcript with CTranslate2's on the same audio."""
    import ctranslate2
    import torch
    from transformers import AutoProcessor

    processor, model = AutoProcessor.from_pretrained(folder), load_model(folder)
    audio = speech_like_audio()
    mel = processor(audio, sampling_rate=SAMPLE_RATE, return_tensors="np").input_features
    reference = ctranslate2.models.Whisper(str(source), compute_type="float32")
    mel_view = ctranslate2.StorageView.from_array(mel)
    expected = np.array(reference.encode(mel_view))
    decoded = reference.generate(mel_view, [prompt(source)], beam_size=1, max_length=MAX_TOKENS)
    english = {"language": "en", "task": "transcribe"} if is_multilingual(source) else {}
    with torch.inference_mode():
        encoded = model.model.encoder(torch.from_numpy(mel)).last_hidden_state.numpy()
        tokens = model.generate(torch.from_numpy(mel), max_new_tokens=MAX_TOKENS, **english)[0]

    difference = float(np.abs(encoded - expected).max())
    if not difference <= MAX_DIFFERENCE:
        raise ValueError(f"the encoders differ by {difference:.1e}, allowed {MAX_DIFFERENCE:.0e}")
    # CTranslate2 stops at half its limit.
    found, wanted = (
        processor.decode(ids[: MAX_TOKENS // 2], skip_special_tokens=True)
        for ids in (text_tokens(source, tokens.tolist()), decoded[0].sequences_ids[0])
    )
    if found != wanted:
        raise ValueError(f"the decoders differ: {found!r}, CTranslate2 says {wanted!r}")
    magnitude = float(np.abs(expected).mean())
    return {
        "summary": f"encoder within {difference:.1e} of CTranslate2 (mean size {magnitude:.2f})",
        "max_abs_difference": difference,
        "mean_magnitude": magnitude,
        "greedy_transcript_of_both": found,
    }


if __name__ == "__main__":
    convert_model(__doc__.splitlines()[0], write_model, prove)
