"""Voices by what they are called on a command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from espnet_ssr.tts.command import Command
from espnet_ssr.tts.kokoro import Kokoro, KokoroModel
from espnet_ssr.tts.piper import Piper
from espnet_ssr.tts.voice import Voice

COMMAND = "command:"


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
