"""Corpus preparation: one importable function a corpus, called by ``egs2/*/ssr1/local``."""

from collections import Counter
from collections.abc import Iterable


class CorpusError(ValueError):
    """The folder does not hold the corpus; the message says what is missing, and where."""


def count_dropped(causes: Iterable[str]) -> str:
    """What was left out, for people: ``"left out 3: 1 bad_line, 2 no_audio"``.

    Args:
        causes: one for each thing that was left out, in one word.
    """
    count = Counter(causes)
    counts = ", ".join(f"{number} {cause}" for cause, number in sorted(count.items()))
    return f"left out {count.total()}" + (f": {counts}" if counts else "")
