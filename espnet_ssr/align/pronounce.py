"""Pronunciations (ARPAbet) of words that a dictionary lacks: good enough to time, not to teach.

A forced aligner needs phones of about the right number and kind; a wrong vowel moves a boundary
by a frame or two, a missing word loses the utterance. The policy, first match wins:

1. the dictionary;
2. digits are read out as a cardinal number (``500`` -> five hundred), over nine of them singly;
3. a compound of two dictionary words of at least three letters (``blacklist``);
4. without a vowel letter it is spelled (``pbx`` -> P IY B IY EH K S);
5. letter-to-sound rules, longest spelling first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from num2words import num2words

Lookup = Callable[[str], "str | None"]
"""Gives the phones of a lower-case word as in ``"HH AH L OW"``, or None."""

_RULES = {
    "tion": "SH AH N", "ough": "AO", "augh": "AO", "eigh": "EY", "igh": "AY", "tch": "CH",
    "dge": "JH", "sch": "S K", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "wh": "W",
    "ck": "K", "ng": "NG", "qu": "K W", "gh": "G", "kn": "N", "wr": "R", "ee": "IY",
    "ea": "IY", "oo": "UW", "ou": "AW", "ow": "OW", "oi": "OY", "oy": "OY", "ai": "EY",
    "ay": "EY", "au": "AO", "aw": "AO", "ie": "IY", "ei": "IY", "oa": "OW", "ew": "UW",
    "ce": "S EH", "ci": "S IH", "cy": "S IY", "ge": "JH EH", "gi": "JH IH", "gy": "JH IY",
    "ar": "AA R", "er": "ER", "ir": "ER", "or": "AO R", "ur": "ER", "a": "AE", "b": "B",
    "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH",
    "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R",
    "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip
_LONGEST = max(map(len, _RULES))


def plain_word(word: str) -> str:
    """``word`` as a dictionary has it: lower case, no accents, only ``a-z 0-9 '``."""
    decomposed = unicodedata.normalize("NFKD", word.lower().replace("’", "'"))
    return re.sub(r"[^a-z0-9']", "", decomposed).strip("'")


def pronounce(word: str, lookup: Lookup) -> tuple[str, str] | None:
    """Return ``(phones, rule)`` of a plain word, or None when there is nothing to pronounce.

    ``rule`` is one of ``dictionary number compound spelled rules``.
    """
    if not word.strip("'"):
        return None
    if phones := lookup(word):
        return phones, "dictionary"
    if any(c.isdigit() for c in word):
        return _read_number(word, lookup), "number"
    letters = word.replace("'", "")
    if compound := _split_compound(letters, lookup):
        return compound, "compound"
    if not re.search("[aeiouy]", letters):
        return " ".join(lookup(c) or _RULES[c] for c in letters), "spelled"
    return _apply_rules(letters), "rules"


def _read_number(word: str, lookup: Lookup) -> str:
    """Phones of a word with digits in it; its letters are pronounced by the other rules."""
    pieces = re.findall(r"\d+|[a-z']+", word)
    spoken = " ".join(_spell_digits(p) if p.isdigit() else p for p in pieces)
    known = (pronounce(plain_word(w), lookup) for w in re.split(r"[\s-]+", spoken))
    return " ".join(phones for phones, _ in filter(None, known))


def _spell_digits(digits: str) -> str:
    # Longer ones are account numbers and the like, which nobody reads as a quantity.
    groups = [digits] if len(digits) <= 9 else digits
    return " ".join(num2words(int(group)) for group in groups)


def _split_compound(letters: str, lookup: Lookup) -> str | None:
    for cut in range(len(letters) - 3, 2, -1):
        left, right = lookup(letters[:cut]), lookup(letters[cut:])
        if left and right:
            return f"{left} {right}"
    return None


def _apply_rules(letters: str) -> str:
    phones, i = [], 0
    # A final e is silent after a consonant (code, but not "the").
    if re.search("[aeiouy][^aeiouy]+e$", letters):
        letters = letters[:-1]
    while i < len(letters):
        size = next(n for n in range(_LONGEST, 0, -1) if letters[i : i + n] in _RULES)
        phones.append(_RULES[letters[i : i + size]])
        i += len(letters[i : i + size])
    return " ".join(phones)
