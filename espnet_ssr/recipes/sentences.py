"""Plain English sentences out of HellaSwag or running text, and sets that share none.

HellaSwag's own text format (MIT licence) has six lines an item: the context, the number of the
right ending, four endings. A context is ``activity: sentence. Sentence. begin of one`` (ActivityNet
captions) or running text with tags as ``[title]`` (WikiHow).
"""

from __future__ import annotations

import bz2
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.order import by_hash, hash_number
from espnet_ssr.text import normalize_text
from espnet_ssr.tts.verbalize import TITLES, verbalize
from espnet_ssr.tts.voice import Refused

LINES_AN_ITEM = 6
MIN_WORDS, MAX_WORDS = 4, 20
# A capital, then letters and what a voice reads as pauses, in a whole sentence.
PLAIN = re.compile(r"(?!How to )[A-Z][A-Za-z',;: -]*[A-Za-z][.?!]")
# Between sentences of prose, with quotes around, but not behind "Mr." or an initial.
SENTENCE_END = re.compile(
    "".join(rf"(?<!\b{title}\.)" for title in TITLES)
    + r"(?<!\b[A-Z]\.)(?<=[.?!])[\"'”’)]*\s+(?=[\"'“‘(]*[A-Z])"
)
# Shares of the sentences by set, in percent.
SHARES = {"test": 5, "valid": 5, "train": 90}


def read_hellaswag(path: Path) -> list[str]:
    """The contexts of a HellaSwag text file, ``.bz2`` or plain.

    Raises:
        CorpusError: it is not such a file.
    """
    opener = bz2.open if path.suffix == ".bz2" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: {error}") from error
    labels = lines[1::LINES_AN_ITEM]
    if not lines or len(lines) % LINES_AN_ITEM or not set(labels) <= set("0123"):
        raise CorpusError(f"{path}: not HellaSwag's text format of six lines an item")
    return lines[::LINES_AN_ITEM]


def plain_sentences(contexts: Iterable[str]) -> Iterator[str]:
    """The sentences of 4 to 20 words without digits, brackets or quotes, each once.

    Two sentences of the same normalised words count as one; WikiHow's titles ("How to breed a
    horse.") as none.
    """
    seen = set()
    for context in contexts:
        # The activity comes before a colon, WikiHow's tags are in brackets.
        body = re.sub(r"^[^:.\[]*:\s", "", context)
        for sentence in re.split(r"\[\w+\]|(?<=[.?!])\s+(?=[A-Z])", body):
            sentence = " ".join(sentence.split())
            words = normalize_text(sentence)
            is_long_enough = MIN_WORDS <= len(words.split()) <= MAX_WORDS
            if is_long_enough and PLAIN.fullmatch(sentence) and words not in seen:
                seen.add(words)
                yield sentence


def prose_sentences(text: str) -> tuple[list[str], Counter[str]]:
    """The sentences of 4 to 20 words of running text, as they are read aloud, each once.

    The lines of a paragraph belong together; an empty line is between paragraphs. Numbers and
    abbreviations are put into words.

    Returns:
        Sentences, and how many were left out by cause: ``too_short``, ``too_long``, ``again`` and
        those of `verbalize`.
    """
    sentences: dict[str, str] = {}  # by their words
    dropped: Counter[str] = Counter()
    for paragraph in re.split(r"\n\s*\n", text):
        for written in SENTENCE_END.split(" ".join(paragraph.split())):
            try:
                sentence = verbalize(written)
            except Refused as error:
                dropped[error.cause] += 1
                continue
            words = normalize_text(sentence)
            if len(words.split()) < MIN_WORDS:
                dropped["too_short"] += 1
            elif len(words.split()) > MAX_WORDS:
                dropped["too_long"] += 1
            elif words in sentences:
                dropped["again"] += 1
            else:
                sentences[words] = sentence
    return list(sentences.values()), dropped


def set_of(sentence: str) -> str:
    """The set that a sentence belongs to, by a hash of its words: ``train``, ``valid``, ``test``.

    It does not depend on the other sentences, so a text can grow without moving any.
    """
    place = hash_number(normalize_text(sentence)) % sum(SHARES.values())
    for name, share in SHARES.items():
        if place < share:
            return name
        place -= share
    raise AssertionError("unreachable")


def split_sentences(sentences: Iterable[str]) -> dict[str, list[str]]:
    """Sentences by set, in an order by hash, so that the first ones are any ones."""
    sets: dict[str, list[str]] = {name: [] for name in SHARES}
    for sentence in sentences:
        sets[set_of(sentence)].append(sentence)
    return {name: by_hash(found) for name, found in sets.items()}
