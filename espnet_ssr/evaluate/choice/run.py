"""A task for a scorer: an answer to each item in each mode, in shards that survive a kill."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.choice.answer import Answer, make_answer, read_answers, write_answers
from espnet_ssr.evaluate.choice.item import Item, Parts, Scorer
from espnet_ssr.evaluate.choice.statistics import summarize
from espnet_ssr.evaluate.files import write_result
from espnet_ssr.jobs import part_of_job, stamp
from espnet_ssr.progress import Progress
from espnet_ssr.shards import merge_shards, run_shards

SHARDS = "shards"
SKIPPED = "skipped"
"""A line ``mode item_id cause details``, tabs between, for each item that was not answered."""

ItemsByMode = Mapping[str, Sequence[Item]]
"""How the model gets a task's parts (``T``, ``S``, ``S->T``, ``T->S``) -> its items."""


class Unanswered(NamedTuple):
    """An item without an answer.

    Attributes:
        cause: ``no_audio``; ``refused`` by the scorer.
        details: what is wrong, or the scorer's words.
    """

    mode: str
    item_id: str
    cause: str
    details: str


def answers_file(mode: str) -> str:
    """Of a mode: ``S-T.jsonl`` of ``S->T``."""
    return f"{mode.replace('->', '-')}.jsonl"


def run_task(
    items: ItemsByMode,
    load: Callable[[], Scorer],
    output_dir: Path,
    settings: dict,
    job: int = 1,
    num_jobs: int = 1,
    shard_size: int = 20,
) -> None:
    """Answer a job's part of a task; shards that are there from a former run are kept.

    An item is answered in all modes at a time, so that its audio is heard once.

    Args:
        load: gives the scorer; called when there is something to answer.
        settings: what all answers depend on: which scorer, and its options.
    """
    by_id: dict[str, list[tuple[str, Item]]] = {}
    for mode, found in items.items():
        for item in found:
            by_id.setdefault(item.item_id, []).append((mode, item))
    keys = part_of_job(list(by_id), job, num_jobs, shard_size)
    run_shards(
        {key: _describe(by_id[key]) for key in keys},
        output_dir / SHARDS,
        job,
        {**settings, "modes": list(items)},
        partial(_answer_shard, load=cache(load), by_id=by_id, modes=list(items)),
        shard_size,
        output_dir.name,
    )


def _describe(questions: Sequence[tuple[str, Item]]) -> str:
    """What the answers depend on: all that is asked, and which audio it is."""
    audio = {file for _, item in questions for file in _audio(item) if Path(file).is_file()}
    stamps = {file: stamp(file) for file in sorted(audio)}
    return json.dumps([[(mode, asdict(item)) for mode, item in questions], stamps])


def _audio(item: Item) -> list[str]:
    """Files of all that is spoken; ``""`` for what has none."""
    return [part.audio or "" for part in _parts(item) if part.spoken]


def _parts(item: Item) -> Parts:
    return tuple(part for parts in (item.context, *item.candidates) for part in parts)


def _answer_shard(
    keys: Sequence[str],
    folder: Path,
    final_folder: Path,
    progress: Progress,
    load: Callable[[], Scorer],
    by_id: Mapping[str, Sequence[tuple[str, Item]]],
    modes: Sequence[str],
) -> None:
    answers, skipped = answer_items([q for key in keys for q in by_id[key]], load())
    for mode in modes:
        write_answers(folder / answers_file(mode), [a for m, a in answers if m == mode])
    write_lines(folder / SKIPPED, ["\t".join(s) for s in skipped])
    progress.update(len(keys))


def answer_items(
    questions: Sequence[tuple[str, Item]], scorer: Scorer
) -> tuple[list[tuple[str, Answer]], list[Unanswered]]:
    """Answers to items, each with its mode, and those that have none."""
    asked, skipped = [], []
    for mode, item in questions:
        missing = [file for file in _audio(item) if not Path(file).is_file()]
        if missing:
            details = missing[0] or "not made yet"
            skipped.append(Unanswered(mode, item.item_id, "no_audio", details))
        else:
            asked.append((mode, item))
    try:
        return _ask(asked, scorer), skipped
    except ValueError:
        pass  # by one of them: ask one by one which
    answers = []
    for question in asked:
        try:
            answers += _ask([question], scorer)
        except ValueError as error:
            mode, item = question
            skipped.append(Unanswered(mode, item.item_id, "refused", " ".join(str(error).split())))
    return answers, skipped


def _ask(questions: Sequence[tuple[str, Item]], scorer: Scorer) -> list[tuple[str, Answer]]:
    pairs = [(item.context, parts) for _, item in questions for parts in item.candidates]
    scores = iter(scorer.score(pairs))
    answers = []
    for mode, item in questions:
        own = [next(scores) for _ in item.candidates]
        answers.append((mode, make_answer(item, own, scorer.cost(_parts(item)))))
    return answers


def merge_task(
    output_dir: Path, num_jobs: int, modes: Sequence[str], description: dict, by_group: bool = False
) -> dict:
    """After all jobs: write ``<mode>.jsonl``, ``skipped`` and ``result.json``.

    Args:
        description: goes into the result: the task, the scorer, the paper's ``normalisation``.
        by_group: a figure is the mean of its groups', not of all items.

    Returns:
        the content of ``result.json``: ``description`` and ``modes`` with the figures of each (see
        ``summarize``) and its number of items ``skipped`` by cause.
    """
    names = [answers_file(mode) for mode in modes]
    merge_shards(output_dir / SHARDS, num_jobs, [*names, SKIPPED], output_dir)
    causes = {mode: Counter() for mode in modes}
    for line in (output_dir / SKIPPED).read_text(encoding="utf-8").splitlines():
        mode, _, cause, _ = line.split("\t", 3)
        causes[mode][cause] += 1
    result = {**description, "by_group": by_group, "modes": {}}
    for mode, name in zip(modes, names, strict=True):
        answers = read_answers(output_dir / name)
        if causes[mode]:
            logging.warning(f"{output_dir / SKIPPED}: {mode}: {dict(causes[mode])}")
        figures = summarize(answers, by_group) if answers else {"items": 0}
        result["modes"][mode] = {**figures, "skipped": dict(causes[mode])}
    write_result(output_dir, result)
    return result
