"""Which systems are asked what: a configuration file.

::

    speech:                      # for tasks that have texts only; see `Speech`
      voices: [voices/en_US-joe-medium, "kokoro:af_heart"]
      cache_dir: exp/choice/speech
    tasks:                       # see `Asked`
      hellaswag: {path: data/hellaswag_val.jsonl, limit: 500}
      mmlu_5shot: {task: mmlu, path: data/mmlu/test, shots: 5, limit: 570}
      hellaswag_white: {task: hellaswag, path: ..., limit: 500, noise: {kind: white, snr: 10}}
    systems:                     # see `System` and `SCORERS`
      text: {scorer: text, llm: SmolLM2-135M, modes: [T]}
      forced: {scorer: forced, model: exp/distill_ssr/packed/speech_lm, modes: [S, S->T, T->S]}

What it leaves open, ``llm`` or ``model``, is that of the command line. ``egs2/TEMPLATE/ssr1/conf/
choice.yaml`` explains all of it.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from espnet_ssr.conf import build_from_conf
from espnet_ssr.evaluate.choice.noise import Noise
from espnet_ssr.evaluate.choice.scorers.build import SCORERS
from espnet_ssr.evaluate.choice.task import TASKS, Task

VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
"""Of the environment, in a configuration."""


@dataclass(frozen=True)
class Asked:
    """A task as it is asked.

    Attributes:
        name: of the row in reports.
        path: of the benchmark.
        task: a key of ``tasks.yaml``; None: ``name``.
        modes: None: all of the task.
        shots, limit, seed, shots_mode: see ``make_items``.
        shots_path: other files that solved questions are drawn from.
        by_group: accuracy is the mean of groups, not of items.
        voices: of those of ``Speech``, the ones that say it; None: all.
        noise: added to all that is spoken, by voices or in the benchmark's own audio.
    """

    name: str
    path: str
    task: str | None = None
    modes: Sequence[str] | None = None
    shots: int = 0
    limit: int | None = None
    seed: int = 0
    shots_mode: str | None = None
    shots_path: str | None = None
    by_group: bool = False
    voices: Sequence[str] | None = None
    noise: Noise | None = None

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

    def is_asked_in(self, mode: str) -> bool:
        """Whether it is asked in a mode."""
        return self.modes is None or mode in self.modes

    def leaves_open(self, option: str) -> bool:
        """Whether ``conf`` has nothing for an option of the scorer."""
        known = inspect.signature(SCORERS[self.scorer]).parameters
        return option in known and option not in self.conf


@dataclass(frozen=True)
class Speech:
    """Who says the texts of benchmarks without audio.

    Attributes:
        voices: see ``espnet_ssr.tts.load_voices``; each item is said by one of them.
        cache_dir: of clips, and of those in noise; may be shared by all experiments.
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

    def speech_of(self, asked: Asked) -> Speech | None:
        """Who says a task."""
        if self.speech is None or asked.voices is None:
            return self.speech
        return replace(self.speech, voices=asked.voices)


def read_experiment(path: Path) -> Experiment:
    """Read a configuration file; ``$NAME`` and ``${NAME}`` in it are the environment's.

    Raises:
        ValueError: names the file and the option that is unknown or missing, or the variable that
            is not set.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        content = _expand(content)
        tasks = {name: _asked(name, conf) for name, conf in content["tasks"].items()}
        systems = {name: _system(name, conf) for name, conf in content["systems"].items()}
        speech = content.get("speech")
        made = speech and build_from_conf(Speech, speech, "speech")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from None
    for asked in tasks.values():
        if unknown := set(asked.voices or ()) - set(made.voices if made else ()):
            raise ValueError(f"{path}: tasks: {asked.name}: {unknown.pop()} is no voice of speech")
        if asked.noise and not made:
            raise ValueError(f"{path}: tasks: {asked.name}: noise needs speech: with a cache_dir")
    return Experiment(tasks, systems, made)


def check_benchmarks(tasks: Iterable[Asked], path: Path) -> None:
    """Before anybody says or answers anything.

    Raises:
        FileNotFoundError: names the benchmark of the configuration file that is not there, or the
            source of noise.
    """
    for asked in tasks:
        source = asked.noise and asked.noise.source
        if source and not Path(source, "utt2spk").exists():
            raise FileNotFoundError(
                f"{path}: tasks: {asked.name}: noise: {source} is no data directory (no utt2spk)"
            )
        for benchmark in filter(None, (asked.path, asked.shots_path)):
            if not Path(benchmark).exists():
                raise FileNotFoundError(
                    f"{path}: tasks: {asked.name}: no {benchmark}: local/eval_data.sh fetches "
                    "benchmarks, or says where to get them"
                )


def systems_of_llm(systems: Iterable[System], llm: str | None) -> list[System]:
    """Those that do not leave their model open; where they leave open of which LLM they are, it is
    this one.

    Raises:
        ValueError: there is none.
    """
    chosen = []
    for system in systems:
        if system.leaves_open("llm"):
            if not llm:
                raise ValueError(f"systems: {system.name}: of which llm? Name it, or give --llm")
            system = replace(system, conf={"llm": llm, **system.conf})
        if not system.leaves_open("model"):
            chosen.append(system)
    return chosen


def systems_of_model(
    systems: Iterable[System], model: str, options: Mapping[str, Any], name: str = ""
) -> list[System]:
    """The others, with this model.

    Args:
        model, options: see ``SpeechLM.from_pretrained``.
        name: of the model; stands before the names of systems.
    """
    return [
        replace(
            s,
            name=f"{name} {s.name}".strip(),
            conf={
                **s.conf,
                "model": model,
                "model_conf": {**options, **s.conf.get("model_conf", {})},
            },
        )
        for s in systems
        if s.leaves_open("model")
    ]


def _expand(value: Any) -> Any:
    """All texts with the values of the variables in them."""
    if isinstance(value, dict):
        return {key: _expand(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expand(inner) for inner in value]
    return VARIABLE.sub(_look_up, value) if isinstance(value, str) else value


def _look_up(variable: re.Match) -> str:
    name = variable[1] or variable[2]
    if name not in os.environ:
        raise ValueError(f"{variable[0]}: the environment variable {name} is not set")
    return os.environ[name]


def _asked(name: str, conf: dict) -> Asked:
    if noise := conf.get("noise"):
        conf = {**conf, "noise": build_from_conf(Noise, noise, f"tasks: {name}: noise")}
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
