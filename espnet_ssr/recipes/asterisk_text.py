"""The list of the Asterisk prompts' texts, and where it is wrong.

The list, ``core-sounds-en.txt``, has one prompt a line, ``key: text``; ``;`` starts a comment. Its
texts are normalised by ``espnet_ssr.text``, which was checked against the audio with a recogniser
and an aligner: the numbers are read as there, and one word of the list is not said (``NOT_SAID``).
"""

import gzip
import re
import zlib
from pathlib import Path
from typing import NamedTuple

CORRECTIONS = {
    "exclaimation": "exclamation",
    "represenatives": "representatives",
    "umute": "unmute",
    "un-indentified": "unidentified",
    "witheld": "withheld",
}

# Words of the list that are not in the recording of that prompt.
NOT_SAID = {"demo-instruct": "Finally,"}


class Prompt(NamedTuple):
    """One line of the list: where its audio is, and what it says there."""

    key: str
    text: str


class BadLine(NamedTuple):
    """A line of the list that cannot be used: its 1-based number, the cause and its text."""

    number: int
    cause: str
    text: str


def correct(key: str, text: str) -> str:
    """The text of a prompt without the list's misspellings and what is not said."""
    for wrong, right in CORRECTIONS.items():
        text = re.sub(rf"\b{wrong}\b", right, text, flags=re.IGNORECASE)
    return text.replace(NOT_SAID[key], "") if key in NOT_SAID else text


def read_prompt_list(path: Path) -> tuple[list[Prompt], list[BadLine]]:
    """Read the list of prompts, plain or gzipped.

    Returns:
        The prompts, corrected, in the order of the list, and the lines that are none: not UTF-8,
        without a colon or a key, or with a key that an earlier line had.

    Raises:
        OSError: `path` cannot be read, or is no whole gzip file.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            lines = file.read().splitlines()
    except (EOFError, zlib.error) as error:
        raise OSError(f"damaged gzip file: {error}") from error
    prompts: dict[str, Prompt] = {}
    bad: list[BadLine] = []
    for number, raw in enumerate(lines, 1):
        line = raw.decode("utf-8", errors="replace").strip().lstrip("\ufeff")
        if not line or line.startswith(";"):
            continue
        key, colon, text = (part.strip() for part in line.partition(":"))
        if "\N{REPLACEMENT CHARACTER}" in line:
            bad.append(BadLine(number, "bad_utf8", line))
        elif not colon or not key or len(key.split()) > 1:
            bad.append(BadLine(number, "bad_line", line))
        elif key in prompts:
            bad.append(BadLine(number, "duplicate_key", line))
        else:
            prompts[key] = Prompt(key, correct(key, text))
    return list(prompts.values()), bad
