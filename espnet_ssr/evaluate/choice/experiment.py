"""Which systems are asked what: a configuration file.

::

    speech:                      # for tasks that have texts only; see `Speech`
      voices: [voices/en_US-joe-medium, "kokoro:af_heart"]
      cache_dir: exp/choice/speech
    tasks:                       # see `Asked`
      hellaswag: {path: data/hellaswag_val.jsonl, limit: 500}
      mmlu_5shot: {task: mmlu, path: data/mmlu/test, shots: 5, limit: 570}
    systems:                     # see `System` and `SCORERS`
      text: {scorer: text, llm: SmolLM2-135M, modes: [T]}
      forced: {scorer: forced, model: exp/distill_ssr/packed/speech_lm, modes: [S, S->T, T->S]}
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from espnet_ssr.conf import build_from_conf
from espnet_ssr.evaluate.choice.scorers.build import SCORERS
from espnet_ssr.evaluate.choice.task import TASKS, Task


@dataclass(frozen=True)
class Asked:
    """A task as it is asked.

    Attributes:
        name: of the row in reports.
        path: of the benchmark.
        task: a key of ``tasks.yaml``; None: ``name``.
        modes: None: all of the task.
        shots, limit, seed: see ``make_items``.
        shots_path: other files that solved questions are drawn from.
        by_group: accuracy is the mean of groups, not of items.
    """

    name: str
    path: str
    task: str | None = None
    modes: Sequence[str] | None = None
    shots: int = 0
    limit: int | None = None
    seed: int = 0
    shots_path: str | None = None
    by_group: bool = False

    @property
    def definition(self) -> Task:
        """Raises:
        ValueError: there is no such task.
        """
        name = self.task or self.name
        if name not in TASKS:
            raise ValueError(f"task {name!r} is none of {', '.join(TASKS)}")
        return TASKS[name]

    def at_most(self, limit: int | None) -> Asked:
        """The same with so many items at most, under a name that says so: a quick look is no part
        of the whole run."""
        if limit is None or (self.limit is not None and self.limit <= limit):
            return self
        name = f"{self.name}_limit{limit}"
        return replace(self, name=name, task=self.task or self.name, limit=limit)


@dataclass(frozen=True)
class System:
    """A row of the table.

    Attributes:
        name: of the row; scorer: a key of ``SCORERS``, with its options ``conf``.
        modes: in which it is asked; None: all.
    """

    name: str
    scorer: str
    modes: Sequence[str] | None = None
    conf: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Speech:
    """Who says the texts of benchmarks without audio.

    Attributes:
        voices: see ``espnet_ssr.tts.load_voices``; each item is said by one of them.
        cache_dir: of clips; may be shared by all experiments.
        recognizer: Whisper that checks them; None: they are not checked.
        max_wer, tries, seed: see ``Gate`` and ``SpeechCache``.
    """

    voices: Sequence[str]
    cache_dir: str
    recognizer: str | None = "whisper-base"
    max_wer: float = 0.2
    tries: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Experiment:
    """Tasks and systems by name; ``speech``: None: benchmarks have their own audio, or none."""

    tasks: Mapping[str, Asked]
    systems: Mapping[str, System]
    speech: Speech | None = None


def read_experiment(path: Path) -> Experiment:
    """Read a configuration file; ``$NAME`` in it is the environment's.

    Raises:
        ValueError: names the file and the option that is unknown or missing.
    """
    content = yaml.safe_load(os.path.expandvars(path.read_text(encoding="utf-8")))
    try:
        tasks = {name: _asked(name, conf) for name, conf in content["tasks"].items()}
        systems = {name: _system(name, conf) for name, conf in content["systems"].items()}
        speech = content.get("speech")
        made = speech and build_from_conf(Speech, speech, "speech")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from None
    return Experiment(tasks, systems, made)


def _asked(name: str, conf: dict) -> Asked:
    asked = build_from_conf(Asked, conf, f"tasks: {name}", name=name)
    if unknown := set(asked.modes or ()) - set(asked.definition.modes):
        raise ValueError(
            f"tasks: {name}: no mode {unknown.pop()}; there are {', '.join(asked.definition.modes)}"
        )
    return asked


def _system(name: str, conf: dict) -> System:
    if conf.get("scorer") not in SCORERS:
        raise ValueError(f"systems: {name}: scorer should be one of {', '.join(SCORERS)}")
    options = {key: value for key, value in conf.items() if key not in ("scorer", "modes")}
    return System(name, conf["scorer"], conf.get("modes"), options)
