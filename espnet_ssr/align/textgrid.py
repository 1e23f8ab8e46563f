"""Read alignments of other programs: Praat's TextGrid and the JSON of the Montreal Forced Aligner.

Tiers are known by name, ``words`` and ``phones`` in any case, also as ``speaker - words``; all
others are ignored. Silence is left out.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.align.abs import Levels
from espnet_ssr.align.alignment import Alignment, Span

_SILENCE = {"", "<eps>", "<sil>", "sil", "sp"}
_TIER_NAME = re.compile(r"(?:.* - )?(word|phone)s?", re.IGNORECASE | re.DOTALL)

# What Praat itself reads: strings, numbers that stand alone, and comments after "!". The rest of
# the long format ("xmin = ", "intervals [1]:") is decoration, so one parser reads both formats.
_TOKEN = re.compile(
    r'"(?P<string>(?:[^"]|"")*+)"'
    r"|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)"
    r'|(?P<unclosed>")|![^\n]*|\S+'
)

# MFA's JSON has times as float32 written with all digits of a float64; their error stays below
# this for 13 minutes of audio.
_JSON_DIGITS = 4


class _Interval(NamedTuple):
    place: int
    """Where it is in its file, to be turned into a message."""
    start: float
    end: float
    label: str


def is_silence(label: str) -> bool:
    return label.strip().lower() in _SILENCE


def read_textgrid(path: Path, utt_id: str) -> Levels:
    """Read a TextGrid, long or short, in UTF-8 or in UTF-16 with a byte order mark.

    Returns:
        The alignment of the words and, if there is a tier of them, of the phones.

    Raises:
        ValueError: names the file and line of what is not as it should be.
    """
    tokens = _Tokens(path, _read_text(path))
    if not tokens.next_string("file type").startswith("ooTextFile"):
        raise ValueError(f"{path}: not a TextGrid in a text format")
    if tokens.next_string("object class") != "TextGrid":
        raise ValueError(f"{path}: not a TextGrid, but another object of Praat's")
    tokens.next_number("begin")
    tokens.next_number("end")
    tiers = [_read_tier(tokens) for _ in range(tokens.next_count("tiers"))]
    return _to_levels(path, utt_id, [tier for tier in tiers if tier], tokens.where)


def _read_tier(tokens: _Tokens) -> tuple[str, list[_Interval]] | None:
    """Name and intervals of a tier, None for a tier of points."""
    kind = tokens.next_string("class of a tier")
    if kind not in ("IntervalTier", "TextTier"):
        raise ValueError(f"{tokens.where()}: unknown class of tier {kind!r}")
    name = tokens.next_string("name of a tier")
    tokens.next_number("begin of a tier")
    tokens.next_number("end of a tier")
    size = tokens.next_count("intervals or points")
    if kind == "TextTier":
        for _ in range(size):
            tokens.next_number("time of a point")
            tokens.next_string("mark of a point")
        return None
    return name, [_read_interval(tokens) for _ in range(size)]


def _read_interval(tokens: _Tokens) -> _Interval:
    start = tokens.next_number("begin of an interval")
    place = tokens.position
    end = tokens.next_number("end of an interval")
    return _Interval(place, start, end, tokens.next_string("text of an interval"))


class _Tokens:
    """The strings and numbers of a TextGrid, one after the other."""

    def __init__(self, path: Path, text: str):
        self._path, self._text = path, text
        self._matches: Iterator[re.Match] = (
            match for match in _TOKEN.finditer(text) if match.lastgroup
        )
        self.position = 0

    def next_string(self, what: str) -> str:
        return self._next("string", what).replace('""', '"')

    def next_number(self, what: str) -> float:
        return float(self._next("number", what))

    def next_count(self, what: str) -> int:
        count = self._next("number", f"number of {what}")
        if not count.isdigit():
            raise ValueError(f"{self.where()}: number of {what}: {count}")
        return int(count)

    def where(self, position: int | None = None) -> str:
        end = self.position if position is None else position
        line = self._text.count("\n", 0, end) + 1
        return f"{self._path}:{line}"

    def _next(self, kind: str, what: str) -> str:
        match = next(self._matches, None)
        if match is None:
            if not self.position:
                raise ValueError(f"{self._path}: not a TextGrid")
            raise ValueError(f"{self.where()}: the file ends here, before the {what}")
        self.position = match.start()
        if match.lastgroup == "unclosed":
            raise ValueError(f"{self.where()}: a string that begins here has no end")
        if match.lastgroup != kind:
            found = match.group()[:40]
            raise ValueError(f"{self.where()}: expected a {kind}, the {what}, got {found}")
        return match[kind]


def read_mfa_json(path: Path, utt_id: str) -> Levels:
    """Read the JSON of ``mfa align`` or ``mfa align_one``; see ``read_textgrid``."""
    try:
        tiers = json.loads(_read_text(path))["tiers"]
        intervals = [
            (name, [_json_interval(n, entry) for n, entry in enumerate(tier["entries"], 1)])
            for name, tier in tiers.items()
            if tier["type"].lower().startswith("interval")
        ]
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except _MalformedEntry as error:
        raise ValueError(f"{path}: expected [begin, end, label], got {error}") from None
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{path}: not MFA's JSON: no tiers with a type and entries") from None
    return _to_levels(path, utt_id, intervals, lambda number: f"{path}: entry {number}")


class _MalformedEntry(Exception):
    """An entry of a tier is not ``[begin, end, label]``; the message shows it."""


def _json_interval(number: int, entry) -> _Interval:
    try:
        start, end, label = entry
        times = [round(float(time), _JSON_DIGITS) for time in (start, end)]
        return _Interval(number, *times, label.strip())
    except (TypeError, ValueError, AttributeError):
        raise _MalformedEntry(repr(entry)[:80]) from None


READERS: Mapping[str, Callable[[Path, str], Levels]] = {
    ".textgrid": read_textgrid,
    ".json": read_mfa_json,
}
"""Readers by the lower-case ending of the file's name."""


def _read_text(path: Path) -> str:
    raw = path.read_bytes()
    is_utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return raw.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}:{line}: neither UTF-8 nor UTF-16 with a byte order mark ({error.reason}): "
            "convert it, for example with iconv"
        ) from None


def _to_levels(
    path: Path,
    utt_id: str,
    tiers: Sequence[tuple[str, list[_Interval]]],
    where: Callable[[int], str],
) -> Levels:
    """Alignments of the tiers that are known by name; ``where`` makes a place a message."""
    found: dict[str, str] = {}
    levels: Levels = {}
    for name, intervals in tiers:
        match = _TIER_NAME.fullmatch(name.strip())
        if not match:
            continue
        level = match[1].lower()
        if level in found:
            raise ValueError(
                f"{path}: two tiers of {level}s, {found[level]!r} and {name!r}: give every "
                "speaker a file"
            )
        found[level] = name
        spans = [_to_span(i, level, where) for i in intervals if not is_silence(i.label)]
        try:
            levels[level] = Alignment(utt_id, spans, level)
        except ValueError as error:
            raise ValueError(f"{path}: tier {name!r}: {error}") from None
    if "word" not in levels:
        names = ", ".join(name for name, _ in tiers) or "none"
        raise ValueError(f"{path}: no tier 'words' with intervals, only: {names}")
    return levels


def _to_span(interval: _Interval, level: str, where: Callable[[int], str]) -> Span:
    label = interval.label.strip()
    if level == "phone" and label.split() != [label]:
        raise ValueError(f"{where(interval.place)}: a phone with a space in it: {label!r}")
    try:
        return Span(label, interval.start, interval.end)
    except ValueError as error:
        raise ValueError(f"{where(interval.place)}: {error}") from None
