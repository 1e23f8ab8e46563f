"""Project an alignment of words onto LLM tokens: one end time a token.

Segment ``j`` of an utterance is ``(end[j - 1], end[j]]``, so a pause belongs to the token after
it. The rules, from general to special:

* The text's words (split at white space) and the alignment's words are the same sequence.
* Inside a word, letters follow the aligned characters or phones when there are any, else every
  letter gets an equal share of the word.
* Punctuation lasts for the pause that it is at: from the letter before it to the letter after it,
  or to the end of the audio. Where there is no pause it shares the end of the letter before it.
* Marks that are written with a letter (vowel signs of Hindi) end with it.
* A token ends where its last character ends, white space aside. Tokens that are pieces of one
  character (byte-level BPE cuts multi-byte characters) get equal shares of that character.
* A token of nothing but white space has no time of its own either: it ends with the one before.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence

from espnet_ssr.align.alignment import Alignment


class ProjectError(Exception):
    """Text and alignment do not belong together."""


def project_to_tokens(
    text: str,
    token_offsets: Sequence[tuple[int, int]],
    words: Alignment,
    parts: Alignment | None = None,
    seconds: float | None = None,
) -> list[float]:
    """Return the end time of each token.

    Args:
        text: the transcript that was tokenized.
        token_offsets: for each token the characters ``[begin, end)`` of ``text`` that it covers.
        words: one span for each word of ``text`` that has a letter or digit, in order.
        parts: characters or phones of the same utterance, for times inside words.
        seconds: duration of the audio, where punctuation after the last word ends; None: with that
            word.

    Returns:
        End times in seconds, never decreasing, as many as tokens.

    Raises:
        ProjectError: text and alignment have different numbers of words.
    """
    spans = _character_spans(text, words, parts, seconds)
    covered = [_strip(offsets, text) for offsets in token_offsets]
    pieces = Counter(end for begin, end in covered if end - begin == 1)
    taken: Counter = Counter()
    ends: list[float] = []
    for begin, end in covered:
        time = ends[-1] if ends else 0.0
        if begin < end:
            char_start, char_end = spans[end - 1]
            # Of k pieces of one character the i-th ends after i/k of it. A token that brings
            # other characters too takes all of its last one.
            share = 1.0
            if end - begin == 1:
                taken[end] += 1
                share = taken[end] / pieces[end]
            time = max(time, char_start + share * (char_end - char_start))
        ends.append(time)
    return ends


def _strip(offsets: tuple[int, int], text: str) -> tuple[int, int]:
    """``[begin, end)`` of a token's characters without the white space around them."""
    begin, end = offsets[0], min(offsets[1], len(text))
    while begin < end and text[end - 1].isspace():
        end -= 1
    while begin < end and text[begin].isspace():
        begin += 1
    return begin, end


def _character_spans(
    text: str, words: Alignment, parts: Alignment | None, seconds: float | None
) -> list[tuple[float, float]]:
    """``(start, end)`` in seconds of every character of ``text``."""
    spoken = spoken_words(text)
    if len(spoken) != len(words.spans):
        raise ProjectError(
            f"{words.utt_id}: the text has {len(spoken)} words, the alignment {len(words.spans)}"
        )
    spans = [(0.0, 0.0)] * len(text)
    part_spans = parts.spans if parts else []
    middles = [(p.start + p.end) / 2 for p in part_spans]
    for (begin, end), span in zip(spoken, words.spans, strict=True):
        inside = part_spans[bisect_left(middles, span.start) : bisect_right(middles, span.end)]
        # Times that cut the word into its characters or phones.
        edges = [span.start, *(p.end for p in inside[:-1]), span.end]
        letters = [i for i in range(begin, end) if text[i].isalnum()]
        for n, i in enumerate(letters):
            spans[i] = (
                _interpolate(edges, n / len(letters)),
                _interpolate(edges, (n + 1) / len(letters)),
            )
    return _fill_unspoken(text, spans, seconds)


def _fill_unspoken(
    text: str, spans: list[tuple[float, float]], seconds: float | None
) -> list[tuple[float, float]]:
    """Give punctuation and white space what is between the letters around, and marks the end of
    their letter."""
    letters = [i for i, character in enumerate(text) if character.isalnum()]
    last_end = spans[letters[-1]][1] if letters else 0.0
    edges = [(0.0, 0), *((spans[i][1], i + 1) for i in letters)]
    starts = [*((spans[i][0], i) for i in letters), (max(last_end, seconds or 0.0), len(text))]
    for (start, first), (end, stop) in zip(edges, starts, strict=True):
        while first < stop and unicodedata.category(text[first])[0] == "M":
            spans[first] = (start, start)
            first += 1
        spans[first:stop] = [(start, max(start, end))] * (stop - first)
    return spans


def spoken_words(text: str) -> list[tuple[int, int]]:
    """``[begin, end)`` of the words of ``text`` that have a letter or digit."""
    return [(b, e) for b, e in split_words(text) if any(c.isalnum() for c in text[b:e])]


def split_words(text: str) -> list[tuple[int, int]]:
    """``[begin, end)`` of the white-space separated words of ``text``."""
    words, begin = [], None
    for i, character in enumerate(text + " "):
        if character.isspace():
            if begin is not None:
                words.append((begin, i))
            begin = None
        elif begin is None:
            begin = i
    return words


def _interpolate(edges: Sequence[float], fraction: float) -> float:
    """Time after ``fraction`` of the pieces between ``edges``, linear inside a piece."""
    position = fraction * (len(edges) - 1)
    index = min(int(position), len(edges) - 2)
    return edges[index] + (position - index) * (edges[index + 1] - edges[index])
