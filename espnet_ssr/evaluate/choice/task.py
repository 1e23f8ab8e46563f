"""Definitions of choice tasks: what is made of a benchmark's records (see ``tasks.yaml``)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from espnet_ssr.evaluate.choice.answer import NORMALISATIONS
from espnet_ssr.evaluate.choice.readers import READERS
from espnet_ssr.evaluate.choice.template import Template

MODES = ("T", "S", "S->T", "T->S")
"""Contexts and candidates as text or as speech; see ``tasks.yaml``."""


@dataclass(frozen=True)
class Shots:
    """How a task is asked with solved questions before a question; see ``tasks.yaml``."""

    separator: str
    same_group: bool = False
    folder: str | None = None


@dataclass(frozen=True)
class Task:
    """A task; see ``tasks.yaml``.

    Raises:
        ValueError: names the key that is wrong, and what it may be.
    """

    name: str
    reader: str
    candidates: tuple[Template, ...]
    answer: Template
    normalisation: str
    modes: Mapping[str, tuple[str, ...]]
    context: Template = Template(())
    intro: Template = Template(())
    group: Template = field(default_factory=lambda: Template.parse("all"))
    shots: Shots | None = None

    def __post_init__(self) -> None:
        if len(self.candidates) < 2:
            raise ValueError("candidates: there should be two or more")
        _check("reader", [self.reader], READERS)
        _check("normalisation", [self.normalisation], NORMALISATIONS)
        _check("modes", self.modes, MODES)
        for mode, spoken in self.modes.items():
            _check(f"modes: {mode}", spoken, [*self.context.fields, *self.candidate_fields])

    @property
    def chance(self) -> float:
        """Accuracy of drawing a candidate."""
        return 1 / len(self.candidates)

    @property
    def candidate_fields(self) -> list[str]:
        return [name for candidate in self.candidates for name in candidate.fields]

    @property
    def fields(self) -> set[str]:
        """All that it takes of a record."""
        templates = (self.context, self.intro, self.group, self.answer)
        return {*self.candidate_fields, *(name for t in templates for name in t.fields)}


def _check(key: str, found: Collection[str], known: Collection[str]) -> None:
    for name in found:
        if name not in known:
            raise ValueError(f"{key}: {name!r} is none of {', '.join(known)}")


def load_tasks(path: Path) -> dict[str, Task]:
    """Tasks of a file like ``tasks.yaml``, by name.

    Raises:
        ValueError: names the file, the task and the key that is wrong or missing.
    """
    tasks = {}
    for name, values in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        try:
            tasks[name] = _task(name, values)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: {name}: {error}") from None
    return tasks


def _task(name: str, values: dict[str, Any]) -> Task:
    _check_keys(Task, {"name": name, **values})
    templates = {"context", "intro", "group", "answer"}
    made = {
        key: Template.parse(str(value)) if key in templates else value
        for key, value in values.items()
    }
    made["candidates"] = tuple(Template.parse(text) for text in values["candidates"])
    made["modes"] = {mode: tuple(spoken) for mode, spoken in values["modes"].items()}
    if "shots" in values:
        _check_keys(Shots, values["shots"], "shots: ")
        made["shots"] = Shots(**values["shots"])
    return Task(name, **made)


def _check_keys(kind: type, values: dict[str, Any], prefix: str = "") -> None:
    """All keys are known, and those without a default are there."""
    known = {option.name: option for option in fields(kind)}
    _check(f"{prefix}key", values, known)
    for key, option in known.items():
        needed = option.default is MISSING and option.default_factory is MISSING
        if needed and key not in values:
            raise ValueError(f"{prefix}{key} is missing")


TASKS: Mapping[str, Task] = load_tasks(Path(__file__).with_name("tasks.yaml"))
"""The tasks of ``tasks.yaml``, by name."""
