"""Transcripts as people write text, with case and punctuation, of corpora that have plain words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from espnet_ssr.recipes.phrases import as_sentence
from espnet_ssr.text import REMARK, normalize_text
from espnet_ssr.tts.verbalize import verbalize
from espnet_ssr.tts.voice import Refused

WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")


class Truecaser:
    """Gives each word the case that it has most often in natural text.

    Args:
        sentences: natural text. Their first words, which have a capital anyway, do not count.
        names: the case of words that the sentences do not have.
    """

    def __init__(self, sentences: Iterable[str], names: Iterable[str] = ()):
        forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for sentence in sentences:
            # A capital also stands behind the end of a sentence inside.
            for match in re.finditer(rf"(?<=[A-Za-z,;'-] ){WORD.pattern}", sentence):
                forms[match[0].lower()][match[0]] += 1
        self._form = {name.lower(): name for name in names}
        self._form |= {word: found.most_common(1)[0][0] for word, found in forms.items()}

    def __call__(self, words: str) -> str:
        """Normalized words as a sentence: with their case, a capital first, and a final stop."""
        return as_sentence(" ".join(self._form.get(word, word) for word in words.split()))


def natural_transcript(text: str, truecase: Truecaser, words: str | None = None) -> str:
    """A transcript with case and punctuation in which every word is spoken.

    Args:
        text: as it is written, or plain words.
        truecase: is used where ``text`` has no case, or cannot be put into words in one way.
        words: the normalized words that are said, if that is known better than from ``text``.
    """
    known = words or normalize_text(text)
    is_plain = text.islower() and text.split() == known.split()
    if not is_plain and not text.isupper():
        try:
            spoken = verbalize(REMARK.sub(" ", text))
        except Refused:
            spoken = ""
        if spoken and (words is None or normalize_text(spoken) == words):
            return spoken
    return truecase(known)
