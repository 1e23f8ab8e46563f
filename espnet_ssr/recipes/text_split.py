"""Train/valid/test split by text: no sentence of one set, nor a near copy of it, in another.

A corpus of prompts repeats itself: "Press 1 to accept this recording" is also a part of longer
prompts. Utterances whose texts are near copies form a group (the transitive closure), and a
group goes to one set as a whole.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from rapidfuzz.distance import LCSseq

MIN_SIMILARITY = 0.75
MIN_CONTAINED_WORDS = 4
MIN_EVAL_WORDS = 3
MAX_EVAL_GROUP = 3


class Split(NamedTuple):
    """Utterance ids of the three sets, each sorted."""

    train: list[str]
    valid: list[str]
    test: list[str]


def is_near_copy(a: list[str], b: list[str]) -> bool:
    """Whether two word sequences are too alike to be in different sets.

    They are when they are equal, when twice the length of their longest common subsequence is
    `MIN_SIMILARITY` or more of their total length, or when one of at least `MIN_CONTAINED_WORDS`
    words is a contiguous part of the other.
    """
    shorter, longer = sorted((a, b), key=len)
    if a == b or 2 * LCSseq.similarity(a, b) >= MIN_SIMILARITY * (len(a) + len(b)):
        return True
    # Spaces around keep "a call" from being found in "alpha caller".
    is_part = f" {' '.join(shorter)} " in f" {' '.join(longer)} "
    return is_part and len(shorter) >= MIN_CONTAINED_WORDS


def group_near_copies(texts: Mapping[str, str]) -> list[list[str]]:
    """Group utterances whose texts are near copies, directly or through others.

    Args:
        texts: Normalised text of each utterance id.

    Returns:
        Groups of ids, each sorted, in the order of their first ids.
    """
    words = {utt_id: text.split() for utt_id, text in sorted(texts.items())}
    parent = {utt_id: utt_id for utt_id in words}

    def find_root(utt_id: str) -> str:
        while parent[utt_id] != utt_id:
            parent[utt_id] = utt_id = parent[parent[utt_id]]
        return utt_id

    ids = list(words)
    for index, first in enumerate(ids):
        for second in ids[index + 1 :]:
            if is_near_copy(words[first], words[second]):
                low, high = sorted((find_root(first), find_root(second)))
                parent[high] = low
    groups: dict[str, list[str]] = {}
    for utt_id in ids:
        groups.setdefault(find_root(utt_id), []).append(utt_id)
    return list(groups.values())


def split_by_text(texts: Mapping[str, str], num_valid: int, num_test: int) -> Split:
    """Split utterances by text, the same way whatever their order.

    Groups of near copies are taken in the order of a hash of their texts: test is filled first,
    then valid, and the rest is train. Sentences are evaluated, not single digits or half of the
    menu variants of a corpus: a group with a text shorter than `MIN_EVAL_WORDS` words or with
    more than `MAX_EVAL_GROUP` utterances goes to train.

    Args:
        texts: Normalised text of each utterance id.
        num_valid: Wanted number of validation utterances; a few groups may not fit, and then it
            is fewer.
        num_test: Wanted number of test utterances, likewise.
    """

    def is_for_evaluation(group: list[str]) -> bool:
        shortest = min(len(texts[utt_id].split()) for utt_id in group)
        return shortest >= MIN_EVAL_WORDS and len(group) <= MAX_EVAL_GROUP

    def hash_group(group: list[str]) -> str:
        canonical = "\n".join(sorted(texts[utt_id] for utt_id in group))
        return hashlib.sha256(canonical.encode()).hexdigest()

    split = Split([], [], [])
    for group in sorted(group_near_copies(texts), key=hash_group):
        if is_for_evaluation(group) and len(split.test) + len(group) <= num_test:
            split.test.extend(group)
        elif is_for_evaluation(group) and len(split.valid) + len(group) <= num_valid:
            split.valid.extend(group)
        else:
            split.train.extend(group)
    return Split(*(sorted(ids) for ids in split))
