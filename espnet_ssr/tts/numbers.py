"""Numbers as they are read aloud in American English, put into words by num2words."""

from __future__ import annotations

import re
from collections.abc import Callable

from num2words import num2words

Rule = tuple[str, Callable[[re.Match], str]]
"""A pattern, and what is read for what it finds."""

# With commas between thousands, or without; a point.
NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
# Not a piece of a date, a time, 5'10, a version, B12.
APART, ENDS = r"(?<![\w.,:/'])", r"(?![\w.,:/']?\d|[a-zA-Z])"
CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}
SCALES = "hundred|thousand|million|billion|trillion"
UNITS = {
    "mm": "millimeter", "cm": "centimeter", "km": "kilometer", "mg": "milligram",
    "kg": "kilogram", "ml": "milliliter", "mL": "milliliter", "lb": "pound", "lbs": "pound",
    "oz": "ounce", "ft": "foot", "mph": "mile per hour", "Hz": "hertz", "kHz": "kilohertz",
    "MHz": "megahertz", "GHz": "gigahertz", "hr": "hour", "hrs": "hour", "yd": "yard",
    "yds": "yard", "kW": "kilowatt", "kJ": "kilojoule", "nm": "nanometer",
}  # fmt: skip
PLURALS = {"foot": "feet", "mile per hour": "miles per hour", "penny": "pence"}
PARTS = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8)}
PART_NAMES = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 8: "eighth", 10: "tenth"}


def cardinal(number: str) -> str:
    """``1,234.5`` -> ``one thousand two hundred and thirty-four point five``."""
    whole, point, digits = number.replace(",", "").partition(".")
    words = num2words(int(whole)).replace(",", "")
    return f"{words} point {' '.join(map(num2words, digits))}" if point else words


def year(number: str) -> str:
    """``1905`` -> ``nineteen oh-five``."""
    return num2words(int(number), to="year")


def decade(number: str) -> str:
    """``1980`` -> ``nineteen eighties``, ``80`` -> ``eighties``."""
    words = year(number) if len(number) == 4 else cardinal(number)
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def plural(word: str, number: str) -> str:
    """``word`` for so many of it."""
    if number in ("1", "1.0") or word.endswith("hertz"):
        return word
    return PLURALS.get(word, f"{word}s")


def money(found: re.Match) -> str:
    """``$5.50``, ``$3 million``."""
    symbol, number, scale = found.groups()
    unit, small = CURRENCIES[symbol]
    whole, _, fraction = number.partition(".")
    if scale or (fraction and len(fraction) != 2):
        return f"{cardinal(number)} {f'{scale} ' if scale else ''}{plural(unit, '2')}"
    words = f"{cardinal(whole)} {plural(unit, whole)}"
    if int(fraction or 0):
        words += f" and {cardinal(fraction)} {plural(small, str(int(fraction)))}"
    return words


def clock(found: re.Match) -> str:
    """``5:05``, ``7:00 p m`` (its stops were dropped before)."""
    hour, minutes, half = found.groups()
    if minutes == "00":
        words = cardinal(hour) if half else f"{cardinal(hour)} o'clock"
    elif minutes.startswith("0"):
        words = f"{cardinal(hour)} oh {cardinal(minutes)}"
    else:
        words = f"{cardinal(hour)} {cardinal(minutes)}"
    return f"{words} {half[0].upper()} M" if half else words


def degrees(found: re.Match) -> str:
    """``350 °F``."""
    number, scale = found.groups()
    name = {"F": " fahrenheit", "C": " celsius", None: ""}[scale]
    return f"{cardinal(number)} {plural('degree', number)}{name}"


def parts(whole: str | None, above: int, below: int) -> str:
    """``1 3/4`` -> ``one and three quarters``."""
    name = PART_NAMES[below]
    count = "a" if whole and above == 1 else num2words(above)
    plural_name = name if above == 1 else f"{name}s"
    return f"{cardinal(whole)} and {count} {plural_name}" if whole else f"{count} {plural_name}"


def fraction(found: re.Match) -> str:
    """``1 1/2``; others than proper ones of few parts are left as they are."""
    whole, above, below = found[1], int(found[2]), int(found[3])
    if below not in PART_NAMES or not 0 < above < below:
        return found[0]
    return parts(whole, above, below)


def span(found: re.Match) -> str:
    """``5-10``; what does not rise is no range and is left as it is."""
    low, high = found.groups()
    if float(low.replace(",", "")) >= float(high.replace(",", "")):
        return found[0]
    return f"{low} to {high}"


NUMBER_RULES: list[Rule] = [
    (rf"([$£€])\s?({NUMBER})(?:\s?({SCALES})s?\b)?(?![\d,]*\d)", money),
    (r"\b(\d{1,2}):([0-5]\d)(?![:\d])(?:\s?([aApP])\s?[mM]\b)?", clock),
    (r"(\d+)?\s?([½¼¾⅓⅔⅛])", lambda m: f" {parts(m[1], *PARTS[m[2]])}"),
    (r"(?<![\d/.,])(?:(\d+)\s+)?(\d{1,2})/(\d{1,2})(?![\d/])", fraction),
    (rf"(?<![\w.,-])({NUMBER})-({NUMBER})(?![\w-])", span),
    (rf"({NUMBER})\s?°\s?([FC]\b)?", degrees),
    (rf"({NUMBER})-({'|'.join(UNITS)})\b", lambda m: f"{m[1]}-{UNITS[m[2]]}"),
    (rf"({NUMBER})\s?({'|'.join(UNITS)})\b", lambda m: f"{m[1]} {plural(UNITS[m[2]], m[1])}"),
    (r"\b'?(\d\d|\d{4})'?s\b", lambda m: decade(m[1])),
    (r"\b(\d+)(?:st|nd|rd|th)\b", lambda m: num2words(int(m[1]), to="ordinal").replace(",", "")),
    (r"(?<![\w.,-])#\s?(?=\d)", lambda m: "number "),
    (rf"(?<![\w.,)'\"-])-(?={NUMBER})", lambda m: "minus "),
    (rf"{APART}(1[1-9]\d\d|20\d\d){ENDS}", lambda m: year(m[1])),
    (rf"{APART}(?!0\d)({NUMBER}){ENDS}", lambda m: cardinal(m[1])),
    (r"(?<![\w.,])\.(\d+)\b", lambda m: cardinal(f"0.{m[1]}").replace("zero ", "", 1)),
    # B12, CO2
    (r"\b([A-Z]+)(\d{1,2})\b(?!\.\d)", lambda m: f"{' '.join(m[1])} {cardinal(m[2])}"),
]
