"""Sets of imported corpora: those that they come in, and those that are taken from train."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from espnet_ssr.datadir import Utterance, count_dropped, invert_utt2spk, write_keyed
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports.collect import Imported
from espnet_ssr.recipes.order import by_hash
from espnet_ssr.recipes.text_split import group_near_copies

MIN_SPEAKERS = 10
"""With fewer, one of them would be too much for a set of its own."""
MAX_COMPARED = 5000
"""Utterances whose texts are compared with each other, which takes a quarter of a minute."""

Parts = dict[str, Imported]
"""What a corpus has, by the names of its parts; a corpus without parts is all ``train``."""


def group_utterances(utterances: Mapping[str, Utterance]) -> dict[str, list[str]]:
    """Utterances that belong in one set, by a name of their group.

    Of `MIN_SPEAKERS` speakers or more these are the speakers. Of fewer, they are near copies (see
    `group_near_copies`): a connector that has heard "press one to listen" has not much to learn
    for "press two to listen". Of more than `MAX_COMPARED` utterances, they are equal texts alone.
    """
    by_speaker = invert_utt2spk({u: utterance.speaker for u, utterance in utterances.items()})
    if len(by_speaker) >= MIN_SPEAKERS:
        return by_speaker
    by_text: dict[str, list[str]] = {}
    for utt_id, utterance in sorted(utterances.items()):
        by_text.setdefault(utterance.text, []).append(utt_id)
    if len(utterances) > MAX_COMPARED:
        return by_text
    copies = group_near_copies({text: text for text in by_text})
    return {texts[0]: [utt_id for text in texts for utt_id in by_text[text]] for texts in copies}


def choose_groups(groups: Mapping[str, list[str]], num: int) -> list[str]:
    """The names of groups with about `num` utterances, in the order of a hash of their names.

    Those that have more than twice as much as is wanted are not taken; if they all have, the one
    with the least is.
    """
    fitting = [name for name, ids in groups.items() if len(ids) <= 2 * num]
    if groups and not fitting:
        fitting = [min(groups, key=lambda name: (len(groups[name]), name))]
    chosen: list[str] = []
    left = num
    for name in by_hash(fitting):
        if left <= 0:
            break
        chosen.append(name)
        left -= len(groups[name])
    return chosen


def split_train(
    train: Mapping[str, Utterance], shares: Mapping[str, float]
) -> dict[str, list[str]]:
    """Ids by set, train's included, the same ones whatever their order.

    Args:
        train: what is to be split, by groups of `group_utterances`.
        shares: by set; a set gets about its share in all of `train`, one group at least.

    Raises:
        CorpusError: nothing is left for train.
    """
    groups = group_utterances(train)
    sets = {}
    for name, share in shares.items():
        if share > 0:
            chosen = choose_groups(groups, max(1, round(share * len(train))))
            sets[name] = sorted(utt_id for group in chosen for utt_id in groups.pop(group))
    if not groups:
        wanted = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise CorpusError(
            f"{len(train)} utterances are too few, or too alike, for sets ({wanted} of them); "
            "make one set of them (--set train)"
        )
    return {"train": sorted(utt_id for ids in groups.values() for utt_id in ids), **sets}


def write_parts(parts: Parts, source: object, output_dir: Path, shares: Mapping[str, float]) -> str:
    """Write ``output_dir/<set>`` of each set, and ``output_dir/<part>/dropped`` of each part.

    Args:
        parts: a part ``train`` is split, unless all sets of `shares` are parts of their own.
        source: what to name in errors.
        shares: of train, by the name of the set that it is taken for.

    Returns:
        Counts and durations of each set, and what was left out, for people.

    Raises:
        CorpusError: a part has nothing that can be used, or train too little.
    """
    for name, part in parts.items():
        if not part.utterances:
            causes = _describe_dropped(part)
            raise CorpusError(f"{source}: {name}: no utterance can be used; {causes}")
    lines = []
    for name, part in parts.items():
        sets = {name: sorted(part.utterances)}
        if name == "train":
            missing = {wanted: share for wanted, share in shares.items() if wanted not in parts}
            sets = split_train(part.utterances, missing)
        for set_name, utt_ids in sets.items():
            part.write_set(output_dir / set_name, utt_ids)
            lines.append(f"{output_dir / set_name}: {_describe_set(part, utt_ids)}")
        lines.extend(_write_dropped(part, output_dir / name))
    return "\n".join(lines)


def _describe_set(part: Imported, utt_ids: Iterable[str]) -> str:
    chosen = [part.utterances[utt_id] for utt_id in utt_ids]
    speakers = {utterance.speaker for utterance in chosen}
    seconds = sum(utterance.seconds for utterance in chosen)
    return f"{len(chosen)} utterances, {len(speakers)} speakers, {seconds / 3600:.2f} hours"


def _describe_dropped(part: Imported) -> str:
    """``left out 2: 1 no_audio, 1 no_text``, and a line for each cause with the first of it."""
    examples = dict(reversed(part.dropped.values()))
    causes = count_dropped(cause for cause, _ in part.dropped.values())
    shown = [f"{cause}, e.g. {examples[cause]}" for cause in sorted(examples)]
    return "\n    ".join([causes, *shown])


def _write_dropped(part: Imported, folder: Path) -> list[str]:
    """Write ``dropped``, ``key cause details``; returns what people should know of a part."""
    table = {key: " ".join(part.dropped[key]) for key in sorted(part.dropped)}
    write_keyed(folder / "dropped", table)
    lines = [f"{_describe_dropped(part)}\n    all: {folder / 'dropped'}"] if part.dropped else []
    if part.num_digits:
        lines.append(
            f"note: {part.num_digits} texts have digits, which are taken to be said as 12: twelve, "
            "500: five hundred, 1234: one two three four; write them out if they are not"
        )
    return lines
