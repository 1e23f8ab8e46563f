"""From a configuration to questions with speech, and to a system's answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.choice.experiment import Asked, Speech, System
from espnet_ssr.evaluate.choice.item import Item
from espnet_ssr.evaluate.choice.noise import add_noise
from espnet_ssr.evaluate.choice.questions import make_items
from espnet_ssr.evaluate.choice.readers import Skipped
from espnet_ssr.evaluate.choice.run import merge_task, run_task
from espnet_ssr.evaluate.choice.scorers.build import build_scorer, describe_scorer
from espnet_ssr.jobs import locked, run_processes
from espnet_ssr.tts.cache import SpeechCache
from espnet_ssr.tts.items import speak_items
from espnet_ssr.tts.load import load_cache

NOISY = "noisy"
"""Folder of clips in noise, in that of clips."""
LEFT_OUT = "left_out"
"""Questions that nobody is asked, by file and line or by mode and id."""


class Machine(NamedTuple):
    """Attributes:
    num_jobs: processes, each with all models.
    device: torch device.
    shard_size: items in a shard.
    """

    num_jobs: int = 1
    device: str = "cpu"
    shard_size: int = 20


def make_questions(asked: Asked) -> tuple[dict[str, list[Item]], Skipped]:
    """Items of each mode, and what was left out of the benchmark."""
    items, skipped = {}, Skipped()
    for mode in asked.modes or asked.definition.modes:
        skipped = Skipped()  # the same in all modes
        items[mode] = make_items(
            asked.definition,
            mode,
            Path(asked.path),
            asked.shots,
            asked.limit,
            asked.seed,
            shots_mode=asked.shots_mode,
            shots_path=Path(asked.shots_path) if asked.shots_path else None,
            skipped=skipped,
        )
    return items, skipped


def needs_speech(items: Sequence[Item]) -> list[Item]:
    """Those with a spoken part that has no audio."""

    def lacks(item: Item) -> bool:
        parts = [part for parts in (item.context, *item.candidates) for part in parts]
        return any(part.spoken and part.audio is None for part in parts)

    return [item for item in items if lacks(item)]


def say_items(
    items: Mapping[str, Sequence[Item]], skipped: Skipped, speech: Speech, machine: Machine
) -> dict[str, list[Item]]:
    """The items with audio; those that cannot be said are left out and added to ``skipped``."""
    said = {mode: list(found) for mode, found in items.items()}
    lacking = {mode: lacks for mode, found in items.items() if (lacks := needs_speech(found))}
    if not lacking:
        return said
    if machine.num_jobs > 1:  # fill the cache first
        wanted = [item for lacks in lacking.values() for item in lacks]
        work = partial(_say_job, items=wanted, speech=speech, machine=machine)
        run_processes(work, machine.num_jobs, len(wanted), "speech")
    cache = _load_cache(speech, machine.device)
    for mode, lacks in lacking.items():
        new, dropped = speak_items(lacks, cache)
        by_id = {item.item_id: item for item in new}
        for item_id, reason in dropped.items():
            cause, _, details = reason.partition(" ")
            skipped.add(f"{mode} {item_id}", cause, details)
        said[mode] = [by_id.get(i.item_id, i) for i in said[mode] if i.item_id not in dropped]
    return said


def _say_job(job: int, items: Sequence[Item], speech: Speech, machine: Machine) -> None:
    speak_items(part_to_say(items, job, machine.num_jobs), _load_cache(speech, machine.device))


def part_to_say(items: Sequence[Item], job: int, num_jobs: int) -> list[Item]:
    """The part of job ``job`` of ``num_jobs``. An item is whole in it, with all its modes, which
    have clips in common; and items are dealt out in turn, as neighbours are of like length."""
    ids = list(dict.fromkeys(item.item_id for item in items))
    own = set(ids[job - 1 :: num_jobs])
    return [item for item in items if item.item_id in own]


def _load_cache(speech: Speech, device: str) -> SpeechCache:
    return load_cache(
        Path(speech.cache_dir),
        speech.voices,
        speech.recognizer,
        speech.max_wer,
        speech.seed,
        speech.tries,
        device,
    )


def ask_all(
    systems: Sequence[System],
    asked: Asked,
    speech: Speech | None,
    output_dir: Path,
    machine: Machine,
) -> Iterator[dict]:
    """Have systems answer a task; yields the content of each one's ``result.json``.

    Args:
        speech: who says it; None: it has its own audio, or none.
        output_dir: gets ``<system>/<task>/``.
    """
    items, skipped = make_questions(asked)
    wanted = {m: found for m, found in items.items() if any(s.is_asked_in(m) for s in systems)}
    if speech is not None:
        wanted = say_items(wanted, skipped, speech, machine)
    if speech is not None and asked.noise is not None:
        folder = Path(speech.cache_dir) / NOISY
        wanted, left_out = add_noise(wanted, asked.noise, folder, machine.num_jobs)
        for mode, item_id, cause, details in left_out:
            skipped.add(f"{mode} {item_id}", cause, details)
    for system in systems:
        folder = output_dir / system.name.replace(" ", "_") / asked.name
        result = ask(system, asked, wanted, skipped, folder, machine)
        if result is not None:
            yield result


def ask(
    system: System,
    asked: Asked,
    items: Mapping[str, list[Item]],
    skipped: Skipped,
    output_dir: Path,
    machine: Machine,
) -> dict | None:
    """Have a system answer a task; returns the content of ``result.json``.

    What was answered before is kept. None: it is asked in none of the task's modes.

    Args:
        output_dir: gets a file of answers for each mode, ``skipped``, ``left_out`` and
            ``result.json``.
    """
    chosen = {mode: found for mode, found in items.items() if system.is_asked_in(mode)}
    if not chosen:
        return None
    logging.info(f"{system.name}: {asked.name}: {', '.join(chosen)}")
    settings = describe_scorer(system.scorer, system.conf)
    about = {
        "system": system.name,
        "scorer": settings,
        "asked": asked.name,
        "task": asked.task or asked.name,
        "shots": asked.shots,
        "shots_mode": asked.shots_mode,
        "noise": asdict(asked.noise) if asked.noise else None,
        "normalisation": asked.definition.normalisation,
        "left_out": dict(skipped.counts),
    }
    work = partial(
        _ask_job,
        items=chosen,
        system=system,
        output_dir=output_dir,
        settings=settings,
        machine=machine,
    )
    with locked(output_dir):
        write_lines(output_dir / LEFT_OUT, skipped.lines())
        num_keys = len({item.item_id for found in chosen.values() for item in found})
        run_processes(work, machine.num_jobs, num_keys, f"{system.name}: {asked.name}")
        return merge_task(output_dir, machine.num_jobs, list(chosen), about, asked.by_group)


def _ask_job(
    job: int,
    items: Mapping[str, list[Item]],
    system: System,
    output_dir: Path,
    settings: dict,
    machine: Machine,
) -> None:
    load = partial(build_scorer, system.scorer, system.conf, machine.device)
    run_task(items, load, output_dir, settings, job, machine.num_jobs, machine.shard_size)
