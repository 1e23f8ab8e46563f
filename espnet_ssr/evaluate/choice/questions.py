"""Questions of a task, made of a benchmark's files."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path

from espnet_ssr.evaluate.choice.draw import draw_evenly, shuffled
from espnet_ssr.evaluate.choice.item import Item, Part, Parts
from espnet_ssr.evaluate.choice.readers import READERS, Record, Skipped
from espnet_ssr.evaluate.choice.task import Task
from espnet_ssr.evaluate.choice.template import join_parts


def make_items(
    task: Task,
    mode: str,
    path: Path,
    shots: int = 0,
    limit: int | None = None,
    seed: int = 0,
    *,
    shots_mode: str | None = None,
    shots_path: Path | None = None,
    skipped: Skipped | None = None,
) -> list[Item]:
    """Questions in the order of the files. They are the same in all modes: what one mode cannot
    ask, for want of audio, is left out in all.

    Args:
        path: of the benchmark, as the task's reader wants it.
        shots: number of solved questions before each, drawn from its development set or from the
            other questions.
        limit: draw so many questions, of all groups alike.
        seed: of what is drawn.
        shots_mode: that of the solved questions; None: as the questions.
        shots_path: other files that they are drawn from.
        skipped: gets what is left out, to be written somewhere; it is counted in the log in any
            case.

    Raises:
        ValueError: the task has no such mode, or takes no solved questions; the files are not those
            of the benchmark, or nothing of them is left; there are too few other questions.
    """
    spoken = _spoken(task, mode)
    skipped = Skipped() if skipped is None else skipped
    records = read_records(task, path, skipped)
    solved = None
    if shots:
        pool_path = shots_path or _development_set(task, path)
        pool = read_records(task, pool_path, skipped) if pool_path else records
        solved = SolvedQuestions(task, pool, shots, _spoken(task, shots_mode or mode), seed)
    for line in skipped.describe():
        logging.warning(line)
    if limit is not None:
        groups = [task.group.text(record) for record in records]
        records = [records[n] for n in draw_evenly(groups, limit, seed)]
    return [_make_item(task, record, spoken, solved) for record in records]


def _spoken(task: Task, mode: str) -> tuple[str, ...]:
    if mode not in task.modes:
        raise ValueError(f"{task.name} has no mode {mode}; it has {', '.join(task.modes)}")
    return task.modes[mode]


def _development_set(task: Task, path: Path) -> Path | None:
    """Where solved questions are, if not among the questions."""
    if task.shots is None:
        raise ValueError(f"{task.name} takes no solved questions (shots)")
    folder = path / task.shots.folder if task.shots.folder and path.is_dir() else None
    return folder if folder and folder.is_dir() else None


def read_records(task: Task, path: Path, skipped: Skipped) -> list[Record]:
    """Records that the task can use.

    Raises:
        ValueError: see ``make_items``.
    """
    records: dict[str, Record] = {}
    needed = sorted(task.fields)
    for record in READERS[task.reader](path, skipped):
        if fault := _fault(task, record, needed):
            skipped.add(record.where, fault)
        elif record.record_id in records:
            before = records[record.record_id].where
            skipped.add(record.where, "the same id again", f"{record.record_id} (see {before})")
        else:
            records[record.record_id] = record
    if not records:
        raise ValueError("; ".join([f"{path}: no questions of {task.name}", *skipped.describe()]))
    return list(records.values())


def _fault(task: Task, record: Record, needed: Sequence[str]) -> str | None:
    """Why the task cannot use it.

    Raises:
        ValueError: its reader does not give a field.
    """
    for name in needed:
        if name not in record.fields:
            there = ", ".join(record.fields)
            raise ValueError(f"{task.name}: reader {task.reader} gives {there}, no {name}")
        if not record.fields[name].strip():
            return f"empty {name}"
    answers = [str(n) for n in range(len(task.candidates))]
    answer = task.answer.text(record)
    return None if answer in answers else f"answer {answer!r} is none of {', '.join(answers)}"


class SolvedQuestions:
    """Questions with their answers, to stand before other questions.

    Each question of a group gets the same ones, but for itself and others of the same context, so
    that what the LLM makes of them may be kept.

    Args:
        pool: what is drawn from.
        number: before each question.
        spoken: fields that are spoken.
    """

    def __init__(
        self, task: Task, pool: Sequence[Record], number: int, spoken: Collection[str], seed: int
    ):
        self.task, self.number, self.spoken = task, number, spoken
        by_group: dict[str, list[tuple[int, Record]]] = {}
        for n, record in enumerate(pool):
            by_group.setdefault(self._group(record), []).append((n, record))
        self.drawn = {group: shuffled(found, seed, group) for group, found in by_group.items()}

    def _group(self, record: Record) -> str:
        return self.task.group.text(record) if self.task.shots.same_group else ""

    def before(self, record: Record) -> list[Part]:
        """In the order of their files.

        Raises:
            ValueError: there are too few others.
        """
        context = self.task.context.text(record)
        drawn = self.drawn.get(self._group(record), [])
        others = ((n, r) for n, r in drawn if self.task.context.text(r) != context)
        chosen = sorted(islice(others, self.number))
        if len(chosen) < self.number:
            raise ValueError(
                f"{record.where}: {self.number} solved questions are wanted before it, and there "
                f"are only {len(chosen)} others {self._group(record)}".rstrip()
            )
        return [part for _, other in chosen for part in self._solved(other)]

    def _solved(self, record: Record) -> Parts:
        right = self.task.candidates[int(self.task.answer.text(record))]
        ways = [template.parts(record, self.spoken) for template in (self.task.context, right)]
        return (*ways[0], *ways[1], Part(self.task.shots.separator))


def _make_item(
    task: Task, record: Record, spoken: Collection[str], solved: SolvedQuestions | None
) -> Item:
    before = solved.before(record) if solved else []
    parts = [*task.intro.parts(record), *before, *task.context.parts(record, spoken)]
    return Item(
        item_id=record.record_id,
        group=task.group.text(record),
        context=join_parts(parts),
        candidates=tuple(template.parts(record, spoken) for template in task.candidates),
        answer=int(task.answer.text(record)),
    )
