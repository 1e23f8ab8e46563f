"""Sentences of a training, a validation and a test set, chosen for a language model's tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.coverage import (
    COUNT_CLASSES,
    Coverage,
    count_classes,
    count_tokens,
    draw_held_out,
    group_by_spelling,
    measure_coverage,
    select_by_coverage,
    select_test,
)
from espnet_ssr.recipes.order import by_hash
from espnet_ssr.recipes.sentences import set_of
from espnet_ssr.text import normalize_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Least squares on 400 sentences that the training voices of egs2/vocab spoke.
SECONDS_A_SENTENCE, SECONDS_A_CHARACTER = 0.54, 0.0536

Tokenize = Callable[[Sequence[str]], Sequence[Sequence[int]]]


class Wanted(NamedTuple):
    """How much of each set: ``hours`` of training or ``train`` sentences (None: by hours), and
    sentences of the other two; ``held_out`` words that training must not have."""

    hours: float
    train: int | None
    valid: int
    test: int
    held_out: int


class TextSets(NamedTuple):
    """Sentences by set (train, valid, test), the tokens of each word held out, and what training
    (real speech and chosen sentences) has of each token."""

    sentences: dict[str, list[str]]
    held_out: dict[str, list[int]]
    training: Counter[int]


def estimate_seconds(sentence: str) -> float:
    """How long a voice takes for a sentence, on an average of voices."""
    return SECONDS_A_SENTENCE + SECONDS_A_CHARACTER * len(sentence)


def make_tokenize(
    tokenizer: PreTrainedTokenizerBase, normalized: bool, prefix_space: bool
) -> Tokenize:
    """Tokens of transcripts as stage 5 makes them; ``normalized``: of their lower-case words."""

    def tokenize(texts: Sequence[str]) -> Sequence[Sequence[int]]:
        if normalized:
            texts = [normalize_text(text) for text in texts]
        if prefix_space:
            texts = [f" {text}" for text in texts]
        return tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    return tokenize


def select_text_sets(
    sentences: Sequence[str],
    tokenize: Tokenize,
    spellings: Mapping[int, str],
    wanted: Wanted,
    real: Sequence[str] = (),
    real_test: Sequence[str] = (),
    held_out_words: Sequence[str] | None = None,
) -> TextSets:
    """Choose the sentences of all sets; the same ones for any order of ``sentences``.

    Which set a sentence can be chosen for is decided by a hash of its words, as by
    `sentences.set_of`, but those with a word or a token that is held out are for the test alone. A
    word may be there without its tokens: at the beginning of a sentence, in pieces.

    Args:
        tokenize: ids of transcripts.
        spellings: text of the tokens that can be spoken, with a space where a word begins.
        real: transcripts of real training speech: their tokens count as chosen.
        real_test: transcripts of real test speech: some of their words are held out.
        held_out_words: words to be held out; None: they are drawn (see `draw_held_out`).

    Raises:
        CorpusError: too few sentences for a set; a word to be held out is in ``real``.
    """
    pool = by_hash(dict.fromkeys(sentence.strip() for sentence in sentences if sentence.strip()))
    tokens = dict(zip(pool, tokenize(pool), strict=True))
    real_counts = count_tokens(tokenize(real))
    held_out = choose_held_out(
        group_by_spelling(spellings),
        count_tokens(tokens.values()),
        real_counts,
        {word for text in real for word in plain_words(text)},
        set(count_tokens(tokenize(real_test))),
        wanted.held_out,
        held_out_words,
    )
    banned = {token for ids in held_out.values() for token in ids}
    banned_words = {word.casefold() for word in held_out}
    pools: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for sentence in pool:
        is_free = banned.isdisjoint(tokens[sentence])
        is_free = is_free and banned_words.isdisjoint(plain_words(sentence))
        pools[set_of(sentence) if is_free else "test"].append(sentence)
    need = {"train": max(wanted.train or 1, 1), "valid": wanted.valid, "test": wanted.test}
    for name, number in need.items():
        if len(pools[name]) < number:
            raise CorpusError(
                f"too little text: {len(pools[name])} of {number} sentences for {name}, of "
                f"{len(pool)} in all: name more text"
            )
    in_train = [tokens[sentence] for sentence in pools["train"]]
    if wanted.train is None:
        amounts = [estimate_seconds(sentence) / 3600 for sentence in pools["train"]]
        chosen = select_by_coverage(in_train, amounts, wanted.hours, real_counts)
    else:
        chosen = select_by_coverage(in_train, [1.0] * len(in_train), wanted.train, real_counts)
    in_test = [tokens[sentence] for sentence in pools["test"]]
    sets = {
        "train": [pools["train"][index] for index in chosen],
        "valid": pools["valid"][: wanted.valid],
        "test": [pools["test"][index] for index in select_test(in_test, banned, wanted.test)],
    }
    training = real_counts + count_tokens(tokens[sentence] for sentence in sets["train"])
    return TextSets(sets, held_out, training)


def plain_words(text: str) -> set[str]:
    """The words of a text in lower case, of letters alone, as `group_by_spelling` has them."""
    return set(re.findall(r"[^\W\d_]+", text.casefold()))


def choose_held_out(
    groups: Mapping[str, list[int]],
    pool: Mapping[int, int],
    real: Mapping[int, int],
    real_words: Collection[str],
    test: set[int],
    number: int,
    words: Sequence[str] | None,
) -> dict[str, list[int]]:
    """The words that are held out, given or drawn, each with its tokens."""
    if words is None:
        free = {word: ids for word, ids in groups.items() if word not in real_words}
        words = draw_held_out(free, pool, real, test, number)
    held_out = {word: groups.get(word.casefold(), []) for word in words}
    for word, ids in held_out.items():
        if not ids:
            raise CorpusError(f"{word}: cannot be held out: it is no token of the tokenizer")
        if word.casefold() in real_words or any(real.get(token) for token in ids):
            raise CorpusError(f"{word}: cannot be held out: real training speech has it")
    return held_out


def make_report(
    sets: TextSets, tokenize: Tokenize, texts: Mapping[str, Sequence[str]]
) -> dict[str, dict]:
    """Numbers for people and programs: sizes of the sets, types by training count, and the
    `Coverage` of each of ``texts`` by name (of the sets test and valid, too)."""
    types = count_classes(sets.training, sets.training)
    others = {name: sets.sentences[name] for name in ("valid", "test")} | dict(texts)
    return {
        "sentences": {name: len(found) for name, found in sets.sentences.items()},
        "estimated_hours": {
            name: round(sum(map(estimate_seconds, found)) / 3600, 3)
            for name, found in sets.sentences.items()
        },
        "training": {
            "tokens": sets.training.total(),
            "types": len(sets.training),
            "types_by_count": {name: len(types[name]) for name in COUNT_CLASSES if name != "0"},
        },
        "held_out": {
            "words": len(sets.held_out),
            "tokens": sum(map(len, sets.held_out.values())),
        },
        "coverage": {
            name: measure_coverage(count_tokens(tokenize(text)), sets.training)._asdict()
            for name, text in others.items()
        },
    }


def describe(report: Mapping[str, dict]) -> str:
    """Lines of a report, for people."""
    hours = report["estimated_hours"]
    lines = [
        ", ".join(
            f"{name} {number} sentences (about {hours[name]:.2f} h)"
            for name, number in report["sentences"].items()
        ),
        f"training has {report['training']['tokens']} tokens, "
        f"{report['training']['types']} types: "
        + ", ".join(
            f"{number} {name} times"
            for name, number in report["training"]["types_by_count"].items()
        ),
        f"held out: {report['held_out']['words']} words, {report['held_out']['tokens']} tokens",
    ]
    for name, found in report["coverage"].items():
        coverage = Coverage(**found)
        shares = ", ".join(f"{share:.1%} {count}" for count, share in coverage.shares.items())
        lines.append(
            f"{name}: {coverage.tokens} tokens, {coverage.types} types, of which training has "
            f"{coverage.seen_types:.1%}; tokens by training count: {shares}"
        )
    return "\n".join(lines)
