"""What was answered: the folders ``<system>/<task>/`` below those of ``ssr_choice``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from espnet_ssr.evaluate.choice.answer import Answer, read_answers
from espnet_ssr.evaluate.choice.cost import Cost, add_costs
from espnet_ssr.evaluate.choice.run import answers_file
from espnet_ssr.evaluate.choice.statistics import Difference, compare

KINDS = ("chance", "mean", "permuted", "text", "words", "cascade", "forced", "textless", "vectors")
"""Of scorers, in the order of rows."""

TOPLINE = "text"
HEARING = ("words", "cascade", "forced", "textless", "vectors")
"""Kinds that get what is said, no more; the first of them without errors."""


@dataclass(frozen=True)
class Run:
    """A system's answers to a task; ``result`` is the content of ``result.json``."""

    folder: Path
    result: dict

    @property
    def system(self) -> str:
        return self.result["system"]

    @property
    def kind(self) -> str:
        return self.result["scorer"]["scorer"]

    @property
    def asked(self) -> str:
        return self.result["asked"]

    @property
    def normalisation(self) -> str:
        """The paper's."""
        return self.result["normalisation"]

    @cached_property
    def answers(self) -> dict[str, list[Answer]]:
        """Mode -> answers, of modes that have some."""
        return {
            mode: read_answers(self.folder / answers_file(mode))
            for mode, figures in self.result["modes"].items()
            if figures["items"]
        }

    @property
    def cost(self) -> Cost | None:
        """Of hearing, in all modes; of the answers that know it."""
        return add_costs(answer.cost for found in self.answers.values() for answer in found)

    def accuracy(self, mode: str, normalisation: str | None = None) -> dict | None:
        """``value`` and ``interval``; None: not measured."""
        figures = self.result["modes"].get(mode, {"items": 0})
        return (
            figures["accuracy"][normalisation or self.normalisation] if figures["items"] else None
        )


class Runs:
    """All runs, by system and task.

    Attributes:
        systems: names, those that hear last; without chance, which is known.
        asked: names of tasks as they were asked.
    """

    def __init__(self, runs: Sequence[Run]):
        ordered = sorted(runs, key=lambda run: KINDS.index(run.kind))
        self._runs = {(run.system, run.asked): run for run in ordered}
        self.systems = list(dict.fromkeys(run.system for run in ordered if run.kind != "chance"))
        self.asked = sorted({run.asked for run in runs})

    def __iter__(self):
        return iter(self._runs.values())

    def find(self, system: str, asked: str) -> Run | None:
        return self._runs.get((system, asked))

    def of_kind(self, kind: str, asked: str) -> Run | None:
        """The first one."""
        return next((r for r in self if (r.kind, r.asked) == (kind, asked)), None)

    def real_time_factor(self, system: str) -> float | None:
        """Over all its tasks; None: it hears nothing, or the time is not known."""
        cost = add_costs(run.cost for run in self if run.system == system)
        return cost and cost.real_time_factor

    def of_task(self, asked: str) -> list[Run]:
        return [run for run in self if run.asked == asked]

    def modes(self, asked: str) -> list[str]:
        """In which any system was asked."""
        return list(dict.fromkeys(m for run in self.of_task(asked) for m in run.result["modes"]))


def read_runs(roots: Iterable[Path]) -> Runs:
    """What is below folders.

    Raises:
        FileNotFoundError: nothing was answered in one of them.
        ValueError: two systems of the same name were asked a task.
    """
    found: dict[tuple[str, str], Run] = {}
    for root in roots:
        files = sorted(root.glob("*/*/result.json"))
        if not files:
            raise FileNotFoundError(f"{root}: nothing was answered yet: run ssr_choice")
        for file in files:
            run = Run(file.parent, json.loads(file.read_text(encoding="utf-8")))
            other = found.setdefault((run.system, run.asked), run)
            if other is not run:
                raise ValueError(
                    f"{run.folder} and {other.folder}: two systems named {run.system!r}: see "
                    "ssr_choice --model_name"
                )
    return Runs(list(found.values()))


def difference(first: Run | None, mode: str, second: Run, second_mode: str) -> Difference | None:
    """Of two runs of a task on their common items; None: one of them was not measured there."""
    if first is None or mode not in first.answers or second_mode not in second.answers:
        return None
    return compare(
        first.answers[mode],
        second.answers[second_mode],
        second.normalisation,
        second.result["by_group"],
    )


def read_paper() -> list[dict]:
    """The paper's own numbers; see ``paper.yaml``."""
    return yaml.safe_load(Path(__file__).with_name("paper.yaml").read_text(encoding="utf-8"))
