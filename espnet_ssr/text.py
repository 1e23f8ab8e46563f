"""The words that a text says, as corpora and voices write them.

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
==================================  ==========================================================

The normalisation of normalised text is that text itself. Numbers are read as the Asterisk prompts
say them, keys of a telephone and versions for the most part; how text in general is read aloud is
in ``espnet_ssr.tts.verbalize``.
"""

from __future__ import annotations

import re
import unicodedata

from num2words import num2words

REMARK = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>")
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
SPOKEN_SYMBOLS = {"*": " star ", "#": " pound "}


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
    for symbol, word in SPOKEN_SYMBOLS.items():
        text = text.replace(symbol, word)
    text = NUMBER.sub(lambda match: f" {spell_number(match.group())} ", text)
    text = re.sub(r"\bwww\.", "w w w.", text)
    text = re.sub(r"(?<=[a-z]{2})\.(?=[a-z]{2})|(?<=\bw)\.(?=[a-z]{2})", " dot ", text)
    text = re.sub(r"[^a-z']", " ", text)
    text = re.sub(r"(?<![a-z])'+|'+(?![a-z])", " ", text)
    return " ".join(text.split())


def plain(text: str) -> str:
    """Lower case, without punctuation but apostrophes: transcripts as they are compared, in any
    language, with digits as they are."""
    return " ".join(re.sub(r"[^\w']|_", " ", text.lower()).split())
