"""Phrases as people write them, with case and punctuation, out of WordNet and the fortunes.

WordNet's ``data.*`` files (WordNet licence) have a line for each meaning; behind its bar stand
definitions, parted by semicolons, and example sentences in double quotes. The files of fortunes
(Debian's package, each with its own source) have a saying between lines of ``%``.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.order import hash_number
from espnet_ssr.recipes.sentences import SENTENCE_END
from espnet_ssr.text import normalize_text
from espnet_ssr.tts.verbalize import verbalize
from espnet_ssr.tts.voice import Refused

MIN_WORDS, MAX_WORDS = 4, 18
LONGEST_WORD = 20  # letters; longer ones are several words, run together
PARTS_OF_SPEECH = ("adj", "adv", "noun", "verb")


def wordnet_phrases(folder: Path) -> Iterator[str]:
    """The definitions and the example sentences of WordNet, as they are written there.

    Args:
        folder: holds ``data.noun``, ``data.verb``, ``data.adj`` and ``data.adv``.

    Raises:
        CorpusError: a file is missing or has no definition.
    """
    for part in PARTS_OF_SPEECH:
        path = folder / f"data.{part}"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise CorpusError(f"{path}: {error.strerror}") from None
        glosses = [line.partition(" | ")[2] for line in lines if not line.startswith("  ")]
        if not any(glosses):
            raise CorpusError(f"{path}: no definition in it: not a file of WordNet's database")
        for gloss in glosses:
            yield from re.findall(r'"([^"]+)"', gloss)
            for definition in re.sub(r'"[^"]*"', ";", gloss).split(";"):
                # It may begin with what field it is of, in brackets.
                if words := re.sub(r"^\s*\([^()]*\)", "", definition).strip():
                    yield words


def fortune_phrases(folder: Path) -> Iterator[str]:
    """The sentences of the sayings in a folder of fortunes, without who said them.

    Raises:
        CorpusError: there is none in it.
    """
    paths = sorted(path for path in folder.glob("*") if path.is_file() and not path.suffix)
    if not paths:
        raise CorpusError(f"{folder}: no file of fortunes in it")
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        for saying in re.split(r"^%.*$", text, flags=re.MULTILINE):
            body = re.split(r"^\s*--\s*\S", saying, maxsplit=1, flags=re.MULTILINE)[0]
            for paragraph in re.split(r"\n\s*\n", body):
                yield from SENTENCE_END.split(" ".join(paragraph.split()))


def natural_phrases(phrases: Iterable[str]) -> tuple[list[str], Counter[str]]:
    """Phrases of 4 to 18 words, each once, as sentences whose words are all spoken.

    Numbers and abbreviations are put into words; a capital and a final stop are added where they
    are missing. Two phrases of the same words count as one.

    Returns:
        Sentences, and how many were left out by cause: ``too_short``, ``too_long``, ``long_word``,
        ``capitals`` (most letters are), ``again`` and those of `verbalize`.
    """
    sentences: dict[str, str] = {}  # by their words
    dropped: Counter[str] = Counter()
    for phrase in phrases:
        try:
            spoken = verbalize(phrase)
        except Refused as error:
            dropped[error.cause] += 1
            continue
        words = normalize_text(spoken)
        if len(words.split()) < MIN_WORDS:
            dropped["too_short"] += 1
        elif len(words.split()) > MAX_WORDS:
            dropped["too_long"] += 1
        elif max(map(len, words.split())) > LONGEST_WORD:
            dropped["long_word"] += 1
        elif sum(map(str.isupper, spoken)) > sum(map(str.islower, spoken)):
            dropped["capitals"] += 1
        elif words in sentences:
            dropped["again"] += 1
        else:
            sentences[words] = as_sentence(spoken)
    return list(sentences.values()), dropped


def read_names(path: Path) -> list[str]:
    """The given names of a file, plain or gzipped, one a line.

    Raises:
        CorpusError: it cannot be read, or there is none.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            names = file.read().split()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: {error}") from None
    names = [name for name in names if re.fullmatch("[A-Z][a-z]+", name)]
    if not names:
        raise CorpusError(f"{path}: no name in it")
    return names


def name_persons(sentences: Iterable[str], names: Sequence[str]) -> list[str]:
    """Sentences of which about half that begin with *he* or *she* begin with a name instead.

    Written text of this kind has few names, and with their capitals they are tokens of their own.
    Which sentence has which name is decided by a hash of its words.
    """
    named = []
    for sentence in sentences:
        pronoun, space, rest = sentence.partition(" ")
        number = hash_number(normalize_text(sentence))
        if pronoun in ("He", "She") and number % 2:
            sentence = f"{names[number // 2 % len(names)]}{space}{rest}"
        named.append(sentence)
    return named


def as_sentence(phrase: str) -> str:
    """``phrase`` with a capital at its start and a stop at its end."""
    phrase = phrase.strip().rstrip(",;:- ")
    if not phrase.endswith((".", "?", "!")):
        phrase += "."
    return phrase[:1].upper() + phrase[1:]
