"""Whether a command of a known program names a voice that the program has.

Where it is misspelt, espeak-ng and flite speak with another voice and do not say so.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path


def check_voice(arguments: Sequence[str]) -> None:
    """Check the voice of espeak-ng (``-v LANGUAGE+VARIANT``) or flite (``-voice NAME``).

    Args:
        arguments: the program and what follows; other programs are not checked.

    Raises:
        ValueError: there is no such voice; the message says which there are.
    """
    program = Path(arguments[0]).name
    if program in ("espeak-ng", "espeak"):
        language, _, variant = _value(arguments, "-v").partition("+")
        if language and not _speaks(arguments[0], language):
            raise ValueError(f"{program} has no voice {language}: see '{program} --voices'")
        known = _espeak_variants(arguments[0])
        if variant and variant not in known:
            raise ValueError(f"{program} has no variant {variant}, only {' '.join(sorted(known))}")
    elif program == "flite":
        voice = _value(arguments, "-voice")
        known = _flite_voices(arguments[0])
        # It may also be a file or an address.
        if voice and voice not in known and "/" not in voice and not Path(voice).exists():
            raise ValueError(f"flite has no voice {voice}, only {' '.join(sorted(known))}")


def _value(arguments: Sequence[str], option: str) -> str:
    places = [place for place, argument in enumerate(arguments[:-1]) if argument == option]
    return arguments[places[-1] + 1] if places else ""


@cache
def _speaks(program: str, language: str) -> bool:
    return subprocess.run([program, "-q", "-v", language, "a"], capture_output=True).returncode == 0


@cache
def _espeak_variants(program: str) -> frozenset[str]:
    """The files of the column "File", such as ``!v/Mr serious``."""
    return frozenset(re.findall(r"!v/(\S+(?: \S+)*)", _output(program, "--voices=variant")))


@cache
def _flite_voices(program: str) -> frozenset[str]:
    return frozenset(_output(program, "-lv").partition(":")[2].split())


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout
