"""Written English as the words that are read aloud: numbers, symbols, abbreviations.

Numbers are put into words by num2words. What can be read in several ways, or in none, is refused:

============  ==================================================================================
cause         for example
============  ==================================================================================
formula       LaTeX, ``x^2``, ``2 + 2 = 4``, ``f(x)``: how much a fraction or a root holds is not
              said by a reading
number        ``3/4/2010``, ``3:1``, ``5m`` (metres, million, minutes), ``007``
roman         ``Henry VIII`` (but ``World War II`` is read)
abbreviation  ``St.`` (saint, street)
address       ``www.example.org``, ``me@example.org``
symbol        ``[step]``, ``*``, letters of other alphabets
no_words      ``...``
============  ==================================================================================

A choice is made where people make the same one nearly always: four digits without a comma are a
year (``1984``: nineteen eighty-four; also ``1500 people``), ``5-10`` is a range, ``_____`` is a
blank, ``he/she`` has a slash.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from espnet_ssr.tts.numbers import NUMBER_RULES, Rule
from espnet_ssr.tts.voice import Refused

SAME_CHARACTER = str.maketrans(
    {"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "—": ", ", "–": "-", "−": "-", "‐": "-"}
    | {"‑": "-", "º": "°", "…": "...", "\N{SOFT HYPHEN}": "", "\N{NO-BREAK SPACE}": " ", "™": ""}
    | {"®": ""}
)
TITLES = {
    "Mr": "mister", "Mrs": "missus", "Ms": "miz", "Dr": "doctor", "Prof": "professor",
    "Jr": "junior", "Sr": "senior", "Lt": "lieutenant", "Capt": "captain", "Col": "colonel",
    "Gen": "general", "Sgt": "sergeant", "Gov": "governor", "Sen": "senator", "Rev": "reverend",
    "Mt": "mount", "Inc": "incorporated", "Ltd": "limited", "Corp": "corporation",
}  # fmt: skip
WORDS = {
    "etc": "et cetera", "vs": "versus", "approx": "approximately", "dept": "department",
    "esp": "especially", "est": "established", "e.g": "for example", "i.e": "that is",
    "cf": "compare",
}  # fmt: skip
MONTHS = {
    "Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "Aug": "August",
    "Sept": "September", "Sep": "September", "Oct": "October", "Nov": "November", "Dec": "December",
}  # fmt: skip
NUMBERED = (
    "War|Part|Chapter|Section|Article|Title|Act|Volume|Book|Type|Class|Phase|Stage|Level|Grade|"
    "Figure|Table|Schedule|Category|Group"
)
ROMAN = {"II": "two", "III": "three", "IV": "four", "VI": "six", "VII": "seven", "VIII": "eight"}
ROMAN |= {"IX": "nine", "XI": "eleven", "XII": "twelve", "XIII": "thirteen", "XIV": "fourteen"}


def _any_of(words: dict[str, str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


REFUSED = [
    ("address", r"\bhttps?:|\bwww\.|\w@\w|\b[a-z]{2,}\.(?:com|org|net|edu|gov)\b"),
    ("formula", r"\\|[\^{}=<>~|+√∑∫∞≤≥≠≈±×÷·]|\$[^\d\s.]|[^\W_]_[^\W_]|(?<!\w)[b-zB-Z]\(|\d\("),
    ("formula", r"\d\s+-\s*\d|\d\s*\*|\*\s*\d|\d/[a-zA-Z]\b|\b[a-zA-Z]/\d|\d\s*[xyz]\b"),
    ("number", r"\d\s?\"\s?-|\d\s?[b-rt-z]\b(?!\.\w)"),
    ("abbreviation", r"\bSt\.(?=\s)"),
]  # fmt: skip
WORD_RULES: list[Rule] = [
    (rf"\b({_any_of(MONTHS)})\.?(?=\s\d)", lambda m: MONTHS[m[1]]),
    (rf"\b({_any_of(TITLES)})\.", lambda m: TITLES[m[1]]),
    # A stop that also ends the sentence stays.
    (rf"\b({_any_of(WORDS)})\.(?=\s+[A-Z]|\W*$)", lambda m: f"{WORDS[m[1]]}."),
    (rf"\b({_any_of(WORDS)})\.", lambda m: WORDS[m[1]]),
    (r"\bvs\b", lambda m: "versus"),
    (r"\bPh\.?D\b\.?", lambda m: "P H D"),
    (r"\bNos?\.\s*(?=\d)", lambda m: "number "),
    (rf"\b({NUMBERED})\s({_any_of(ROMAN)})\b", lambda m: f"{m[1]} {ROMAN[m[2]]}"),
    # Initials: U.S., a.m.
    (r"\b(?:[A-Za-z]\.){2,}(?=\W*$)", lambda m: f"{_spell(m[0])}."),
    (r"\b(?:[A-Za-z]\.){2,}", lambda m: _spell(m[0])),
]
SYMBOL_RULES: list[Rule] = [
    (r"\s*&\s*", lambda m: " and "),
    (r"\s*%", lambda m: " percent"),
    (r"\s@\s", lambda m: " at "),
    (r"_{2,}|(?<!\w)_(?!\w)", lambda m: " blank "),
    (r"(?<=[A-Za-z])\s*/\s*(?=[A-Za-z])", lambda m: " slash "),
    (r"\s*[()]+\s*(?=[.,;:!?])", lambda m: ""),
    (r"\s*[()]+\s*", lambda m: ", "),
    (r"\s*-{2,}\s*|\s-\s", lambda m: ", "),
    # A sentence that begins without a space.
    (r"(?<=[a-z])([.,;:!?]+)(?=[A-Z])", lambda m: f"{m[1]} "),
    (r'"', lambda m: " "),
    (r"(?<![A-Za-z])'+|'+(?![A-Za-z])", lambda m: " "),
]
LEFT_OVER = [
    ("number", r"\d"),
    ("roman", rf"\b(?:{_any_of(ROMAN)})\b"),
    ("address", r"\w\.\w"),
    ("symbol", r"[^A-Za-z' .,;:!?-]"),
]


def verbalize(text: str) -> str:
    """``text`` as words in letters ``[A-Za-z']``, with the punctuation that voices heed.

    Raises:
        Refused: it cannot be read out, or in several ways (see the module).
    """
    spoken = plain_characters(text)
    _refuse(REFUSED, spoken, text)
    for pattern, read in [*WORD_RULES, *NUMBER_RULES, *SYMBOL_RULES]:
        spoken = re.sub(pattern, read, spoken)
    spoken = re.sub(r"\s+(?=[.,;:!?])", "", " ".join(spoken.split())).lstrip(".,;:!?- ")
    _refuse(LEFT_OVER, spoken, text)
    if not spoken:
        raise Refused("no_words", f"nothing to say: {text}")
    return spoken


def plain_characters(text: str) -> str:
    """``text`` without accents, with one character for all quotes, dashes and spaces alike."""
    text = text.translate(SAME_CHARACTER)
    decomposed = unicodedata.normalize("NFD", text)
    text = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(text.split())


def _spell(initials: str) -> str:
    return " ".join(initials.replace(".", "").upper())


def _refuse(rules: Sequence[tuple[str, str]], spoken: str, text: str) -> None:
    for cause, pattern in rules:
        if found := re.search(pattern, spoken):
            raise Refused(cause, f"no one way to read {found[0].strip()!r}: {text}")
