"""Project an alignment of words onto LLM tokens: one end time a token.

Segment ``j`` of an utterance is ``(end[j - 1], end[j]]``, so a pause belongs to the token after
it. The rules, from general to special:

* The text's words (split at white space) and the alignment's words are the same sequence.
* Inside a word, letters follow the aligned characters or phones when there are any, else every
  letter gets an equal share of the word.
* Punctuation has no time of its own: it shares the end of the letter (or word) before it.
* A token ends where its last character ends. Tokens that share a character (byte-level BPE cuts
  multi-byte characters into several tokens) get equal shares of that character.
"""

from __future__ import annotations

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
) -> list[float]:
    """Return the end time of each token.

    Args:
        text: the transcript that was tokenized.
        token_offsets: for each token the characters ``[begin, end)`` of ``text`` that it covers.
        words: one span for each word of ``text`` that has a letter or digit, in order.
        parts: characters or phones of the same utterance, for times inside words.

    Returns:
        End times in seconds, never decreasing, as many as tokens.

    Raises:
        ProjectError: the number of words differs, or a word cannot be found.
    """
    spans = _character_spans(text, words, parts)
    sharers = Counter(_last_character(offsets, text) for offsets in token_offsets)
    taken: Counter = Counter()
    ends: list[float] = []
    for offsets in token_offsets:
        last = _last_character(offsets, text)
        if last < 0:  # nothing but white space before the first word
            ends.append(0.0)
            continue
        taken[last] += 1
        start, end = spans[last]
        # Of k tokens that end at the same character, the i-th ends after i/k of it, but only if
        # they are pieces of that one character: a token that brings others too takes all of it.
        is_piece = offsets[1] - offsets[0] == 1 and sharers[last] > 1
        share = taken[last] / sharers[last] if is_piece else 1.0
        ends.append(max(start + share * (end - start), ends[-1] if ends else 0.0))
    return ends


def _last_character(offsets: tuple[int, int], text: str) -> int:
    """Index of the last character of a token that is not white space (or of the text before)."""
    last = min(offsets[1], len(text)) - 1
    while last >= 0 and text[last].isspace():
        last -= 1
    return last


def _character_spans(
    text: str, words: Alignment, parts: Alignment | None
) -> list[tuple[float, float]]:
    """``(start, end)`` in seconds of every character of ``text``."""
    spoken = [w for w in _split_words(text) if any(c.isalnum() for c in text[w[0] : w[1]])]
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
    return _fill_unspoken(text, spans)


def _fill_unspoken(text: str, spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Give punctuation and white space the end of the letter before, as an empty span."""
    last_end = 0.0
    for i, character in enumerate(text):
        if character.isalnum():
            last_end = spans[i][1]
        else:
            spans[i] = (last_end, last_end)
    return spans


def _split_words(text: str) -> list[tuple[int, int]]:
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
