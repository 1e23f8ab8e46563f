"""Sentences chosen so that few of them have many different tokens of a language model.

Greedy: next comes the sentence with the largest mean of ``1 / (1 + count)`` over its tokens, where
``count`` is how often a token occurs in what was chosen before. As counts only grow, a gain that
was computed earlier is an upper bound, so a heap of such bounds gives the exact choice without
computing them all again (lazy greedy; Minoux 1978). The choice for fewer sentences is the beginning
of that for more.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.order import by_hash

COUNT_CLASSES = {"0": 0, "1-9": 1, "10-99": 10, "100+": 100}  # each from its number on


def select_by_coverage(
    tokens: Sequence[Sequence[int]],
    amounts: Sequence[float],
    wanted: float,
    counts: Mapping[int, int] | None = None,
) -> list[int]:
    """Indices of chosen sentences, in the order of their choice.

    Args:
        tokens: ids of each sentence; one without any is never chosen.
        amounts: what each sentence adds: seconds, or 1.
        wanted: sentences are added until they have this together.
        counts: of tokens that training has anyway.

    Raises:
        CorpusError: all of them together have less than ``wanted``.
    """
    seen: defaultdict[int, int] = defaultdict(int, counts or {})
    weight: defaultdict[int, float] = defaultdict(lambda: 1.0)
    weight.update({token: 1 / (1 + count) for token, count in seen.items()})

    def gain(ids: Sequence[int]) -> float:
        return sum([weight[token] for token in ids]) / len(ids)

    # Ties go to the earlier sentence.
    heap = [(-gain(ids), index) for index, ids in enumerate(tokens) if len(ids)]
    heapq.heapify(heap)
    chosen: list[int] = []
    total = 0.0
    while total < wanted:
        if not heap:
            raise CorpusError(
                f"too little text: all {len(chosen)} sentences have {total:.0f} of {wanted:.0f} "
                "wanted: name more text"
            )
        _, index = heap[0]
        entry = (-gain(tokens[index]), index)
        if entry > heap[0]:  # no longer as good as it was: put it where it belongs
            heapq.heapreplace(heap, entry)
            continue
        heapq.heappop(heap)
        chosen.append(index)
        total += amounts[index]
        for token in tokens[index]:
            seen[token] += 1
            weight[token] = 1 / (1 + seen[token])
    return chosen


def group_by_spelling(spellings: Mapping[int, str]) -> dict[str, list[int]]:
    """Tokens that differ only in case or in the space before them, by what they share.

    Only those of letters alone count (``" Cat"``, ``"cat"``), and only where one of them begins a
    word.
    """
    groups: defaultdict[str, list[int]] = defaultdict(list)
    begun = set()
    for token, spelling in sorted(spellings.items()):
        word = spelling.strip().casefold()
        if word.isalpha():
            groups[word].append(token)
            if spelling.startswith(" "):
                begun.add(word)
    return {word: ids for word, ids in groups.items() if word in begun}


def draw_held_out(
    groups: Mapping[str, Collection[int]],
    pool: Mapping[int, int],
    real: Mapping[int, int],
    test: Collection[int],
    number: int,
    test_share: float = 0.33,
    occurrences: tuple[int, int] = (3, 30),
    min_letters: int = 3,
) -> list[str]:
    """Words whose tokens training is not to have, drawn by a hash of the word.

    First those of a share of the words of real test speech, then words of the text, up to
    ``number`` of each of both kinds together.

    Args:
        groups: tokens of a word, as `group_by_spelling` gives.
        pool: how often each token occurs in the text.
        real: how often in the transcripts of real training speech; a word that occurs is not taken.
        test: tokens in the transcripts of real test speech.
        number: of words, at most.
        test_share: share of the words of ``test`` (that are not in ``real``).
        occurrences: how often a word of the text may occur: enough to be tested, and not so often
            that much text is lost.
        min_letters: shorter words are not taken.
    """
    tested, others = [], []
    for word in by_hash(groups):
        ids = groups[word]
        if len(word) < min_letters or any(real.get(token) for token in ids):
            continue
        if any(token in test for token in ids):
            tested.append(word)
        elif occurrences[0] <= sum(pool.get(token, 0) for token in ids) <= occurrences[1]:
            others.append(word)
    held_out = tested[: min(round(test_share * len(tested)), number)]
    return sorted(held_out + others[: number - len(held_out)])


def select_test(
    tokens: Sequence[Sequence[int]],
    held_out: Collection[int],
    number: int,
) -> list[int]:
    """Indices of test sentences: as many as possible with tokens held out, up to half of them.

    Those are chosen for different tokens held out; the others are the first ones without any.
    """
    tested = [[token for token in ids if token in held_out] for ids in tokens]
    with_any = [index for index, ids in enumerate(tested) if ids]
    half = min(number // 2, len(with_any))
    best = select_by_coverage([tested[index] for index in with_any], [1.0] * len(with_any), half)
    chosen = {with_any[place] for place in best}
    others = [index for index, ids in enumerate(tested) if not ids]
    return sorted(chosen) + others[: number - len(chosen)]


def count_tokens(tokens: Iterable[Sequence[int]]) -> Counter[int]:
    """How often each token occurs."""
    counts: Counter[int] = Counter()
    for ids in tokens:
        counts.update(ids)
    return counts


class Coverage(NamedTuple):
    """How well a text's tokens are covered: by class of training count, shares of tokens.

    Attributes:
        tokens, types: of the text.
        seen_types: share of its types that occur in training.
        shares: of its tokens, by how often training has them: ``0 1-9 10-99 100+``.
    """

    tokens: int
    types: int
    seen_types: float
    shares: dict[str, float]


def measure_coverage(text: Mapping[int, int], training: Mapping[int, int]) -> Coverage:
    """Coverage of a text with these token counts by a training set with those."""
    total = sum(text.values())
    classes = count_classes(training, text)
    shares = {
        name: sum(text[token] for token in found) / max(total, 1) for name, found in classes.items()
    }
    seen = sum(1 for token in text if training.get(token))
    return Coverage(total, len(text), seen / max(len(text), 1), shares)


def count_classes(training: Mapping[int, int], tokens: Iterable[int]) -> dict[str, list[int]]:
    """Tokens by how often training has them: ``0 1-9 10-99 100+``."""
    classes: dict[str, list[int]] = {name: [] for name in COUNT_CLASSES}
    for token in tokens:
        count = training.get(token, 0)
        name = max((least, name) for name, least in COUNT_CLASSES.items() if count >= least)[1]
        classes[name].append(token)
    return classes
