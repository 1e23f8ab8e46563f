#!/usr/bin/env python3
"""Put Kokoro-82M together: the model, its configuration and the English voices.

The new folder is published only after a voice spoke as long as the same phonemes took when this
was written.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from model_store import convert_model, join_parts

PHONEMES = "ðə bˈeɪkɚ ˈoʊpənd hɪz ʃˈɑːp."
VOICE = "af_heart"
EXPECTED_SECONDS = 2.150


def write_model(source: Path, folder: Path) -> None:
    """Join the parts of the model and give the voices a folder of their own."""
    join_parts(source, "model.onnx", folder / "model.onnx")
    shutil.copy(source / "config.json", folder)
    (folder / "voices").mkdir()
    for voice in source.glob("*.bin"):
        shutil.copy(voice, folder / "voices")


def prove(_source: Path, folder: Path) -> dict:
    """Speak some phonemes; the length is decided by the model and has to be as known."""
    import onnxruntime

    vocabulary = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab"]
    styles = np.fromfile(folder / "voices" / f"{VOICE}.bin", "<f4").reshape(-1, 256)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    inputs = {
        "tokens": np.array([[0, *map(vocabulary.__getitem__, PHONEMES), 0]], np.int64),
        "style": styles[len(PHONEMES)][None],
        "speed": np.ones(1, np.float32),
    }
    seconds = session.run(["audio"], inputs)[0].size / 24000
    if abs(seconds - EXPECTED_SECONDS) > 0.1:  # 25 ms a phoneme are a matter of rounding
        raise ValueError(f"{PHONEMES!r} took {seconds:.3f} s instead of {EXPECTED_SECONDS} s")
    return {
        "summary": f"spoke a sentence in {seconds:.3f} s as expected",
        "voices": len(list((folder / "voices").iterdir())),
    }


if __name__ == "__main__":
    convert_model(__doc__.splitlines()[0], write_model, prove)
