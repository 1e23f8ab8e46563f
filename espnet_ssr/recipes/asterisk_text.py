"""Text of the Asterisk prompts: the list that comes with them, and its normalisation.

The list, ``core-sounds-en.txt``, has one prompt a line, ``key: text``; ``;`` starts a comment.
A remark in brackets of any kind is not spoken (``[ascending tones]``, ``<beep ascending>``,
``(1 second of silence)``, ``at [@]``, ``IAX (note: does not say "2")``).

Normalised text is what is said, as the lower-case words ``[a-z']+`` that a language model's
tokenizer and a pronouncing dictionary both know:

==================================  ==========================================================
rule                                example
==================================  ==========================================================
remarks in brackets are dropped     ``dash [-]`` -> ``dash``
accents are dropped, lower case     ``Café`` -> ``cafe``
keys of the telephone               ``press * or #`` -> ``press star or pound``
a dot inside a word is said         ``www.asterisk.org`` -> ``w w w dot asterisk dot org``
a dot of an abbreviation is not     ``A.M.`` -> ``a m``, ``H.323`` -> ``h three two three``
numbers of 1 or 2 digits, hundreds  ``2``, ``500`` -> ``two``, ``five hundred``
decimal numbers                     ``28.8`` -> ``twenty eight point eight``
other numbers, digit by digit       ``1234`` -> ``one two three four``
letters and digits are parted       ``3D`` -> ``three d``
hyphens are spaces                  ``re-enter`` -> ``re enter``
apostrophes stay inside words only  ``party's "don't call"`` -> ``party's don't call``
other characters are spaces         ``Hello, world!`` -> ``hello world``
acronyms stay one word              ``PBX`` -> ``pbx``
the list's misspellings are mended  ``umute`` -> ``unmute`` (see ``CORRECTIONS``)
==================================  ==========================================================

The normalisation of normalised text is that text itself. The readings were checked against the
audio with a recogniser and an aligner: the numbers are read as above, and one word of the list is
not said (see ``NOT_SAID``).
"""

import gzip
import re
import unicodedata
import zlib
from pathlib import Path
from typing import NamedTuple

from num2words import num2words

REMARK = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>")
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
SPOKEN_SYMBOLS = {"*": " star ", "#": " pound "}
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


def has_remark(text: str) -> bool:
    """Whether `text` has a bracketed remark about sounds, rather than words alone."""
    return REMARK.search(text) is not None


def spell_number(number: str) -> str:
    """Return decimal digits, perhaps with a point, as English words without hyphens."""
    is_round = len(number) == 3 and number.endswith("00") and number[0] != "0"
    if "." in number:
        whole, fraction = number.split(".")
        words = f"{spell_number(whole)} point {' '.join(map(num2words, fraction))}"
    elif is_round or len(number) == 1 or (len(number) == 2 and number[0] != "0"):
        words = num2words(int(number))
    else:
        words = " ".join(num2words(int(digit)) for digit in number)
    return words.replace("-", " ")


def normalize_text(text: str) -> str:
    """Return the spoken words of `text`, in ``[a-z']`` and single spaces (see the module)."""
    text = REMARK.sub(" ", text)
    # Compatibility decomposition, so that an accent is a character of its own and can go.
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(char for char in text if not unicodedata.combining(char))
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    for wrong, right in CORRECTIONS.items():
        text = re.sub(rf"\b{wrong}\b", right, text)
    for symbol, word in SPOKEN_SYMBOLS.items():
        text = text.replace(symbol, word)
    text = NUMBER.sub(lambda match: f" {spell_number(match.group())} ", text)
    text = re.sub(r"\bwww\.", "w w w.", text)
    text = re.sub(r"(?<=[a-z]{2})\.(?=[a-z]{2})|(?<=\bw)\.(?=[a-z]{2})", " dot ", text)
    text = re.sub(r"[^a-z']", " ", text)
    text = re.sub(r"(?<![a-z])'+|'+(?![a-z])", " ", text)
    return " ".join(text.split())


def read_prompt_list(path: Path) -> tuple[list[Prompt], list[BadLine]]:
    """Read the list of prompts, plain or gzipped.

    Returns:
        The prompts in the order of the list, and the lines that are none: not UTF-8, without a
        colon or a key, or with a key that an earlier line had.

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
            if key in NOT_SAID:
                text = text.replace(NOT_SAID[key], "")
            prompts[key] = Prompt(key, text)
    return list(prompts.values()), bad
