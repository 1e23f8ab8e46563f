"""Voices, and caches of what they say, by what they are called on a command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from espnet_ssr.tts.cache import SpeechCache
from espnet_ssr.tts.command import Command
from espnet_ssr.tts.gate import Gate
from espnet_ssr.tts.kokoro import Kokoro, KokoroModel
from espnet_ssr.tts.piper import Piper
from espnet_ssr.tts.voice import Voice

COMMAND = "command:"

# Seven times faster than 30 s in float32, and near enough for a check.
QUICK = {"dtype": "bfloat16", "window_seconds": 10.0}


def load_cache(
    folder: Path,
    specs: Sequence[str],
    recognizer: str | None,
    max_wer: float = 0.2,
    seed: int = 0,
    tries: int = 3,
    device: str = "cpu",
) -> SpeechCache:
    """A cache with its voices and, if there is a recogniser, its gate.

    Args:
        specs: see `load_voices`; those that tell no times will do.
        recognizer: Whisper that checks clips; None: they are not checked.
        device: of the recogniser; the others are those of `Gate` and `SpeechCache`.
    """
    gate = None
    if recognizer is not None:
        from espnet_ssr.evaluate.asr import WhisperTranscriber

        whisper = WhisperTranscriber(recognizer, device, language="en", **QUICK)
        gate = Gate(whisper, recognizer, max_wer)
    voices = load_voices(specs, only_with_times=False)
    return SpeechCache(folder, voices, gate, seed, tries)


def load_voices(specs: Sequence[str], only_with_times: bool = True) -> list[Voice]:
    """Load voices.

    Args:
        specs: the folder of a piper voice; ``folder:name`` for one of Kokoro's; ``command: program
            arguments {text_file} {wav_file}`` for any other (see `Command`).
        only_with_times: see `Piper`.

    Raises:
        ValueError: as `Piper`, `KokoroModel`, `Kokoro` and `Command`; or two voices have the same
            name.
    """
    models: dict[str, KokoroModel] = {}
    voices = [_load_voice(spec, only_with_times, models) for spec in specs]
    count = Counter(voice.name for voice in voices)
    if twice := [name for name, number in count.items() if number > 1]:
        raise ValueError(f"several voices are named {twice[0]}")
    return voices


def _load_voice(spec: str, only_with_times: bool, models: dict[str, KokoroModel]) -> Voice:
    if spec.startswith(COMMAND):
        return Command(spec.removeprefix(COMMAND))
    folder, colon, name = spec.rpartition(":")
    if not colon:
        return Piper(Path(spec), only_with_times)
    if folder not in models:
        models[folder] = KokoroModel(Path(folder))
    return Kokoro(models[folder], name)
