"""The figures of choice tasks for ``RESULTS.json``: those of the first two tables of the report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from espnet_ssr.environment import git_commit
from espnet_ssr.evaluate.choice.collect import HEARING, TOPLINE, Run, Runs, difference
from espnet_ssr.evaluate.experiments import TRAINED
from espnet_ssr.evaluate.records import Record, name_model

SET = "choice"
POINTS = 100.0


def make_records(runs: Runs, recipe: str) -> list[Record]:
    """Of each system, task and mode ``accuracy_<task>_<mode>`` (normalised as in the paper) and, of
    systems that get speech, ``gap_<task>_<mode>`` to the text topline on the same items; each with
    its interval. Of systems that hear ``rtf``, over all tasks.

    The commit is that of this code.
    """
    commit = git_commit()
    records = []
    for run in runs:
        model, seeds = _name(run), _seeds(run)
        for figure, value in _figures(run, runs):
            records.append(Record(recipe, SET, model, figure, value, seeds, commit))
    for run in {run.system: run for run in runs}.values():
        if (factor := runs.real_time_factor(run.system)) is not None:
            records.append(Record(recipe, SET, _name(run), "rtf", factor, _seeds(run), commit))
    return records


def _figures(run: Run, runs: Runs) -> Iterable[tuple[str, float]]:
    asked = run.asked.replace(" ", "_")
    topline = runs.of_kind(TOPLINE, run.asked)
    for mode in run.answers:
        yield from _with_interval(f"accuracy_{asked}_{mode}", **run.accuracy(mode))
        if run.kind not in HEARING or mode == "T":
            continue
        if found := difference(topline, "T", run, mode):
            value, (low, high) = found.difference
            yield from _with_interval(f"gap_{asked}_{mode}", -value, (-high, -low))


def _with_interval(
    figure: str, value: float, interval: Iterable[float]
) -> Iterable[tuple[str, float]]:
    for suffix, share in zip(("", "_low", "_high"), (value, *interval), strict=True):
        yield figure + suffix, POINTS * share + 0.0  # no negative zero


def _name(run: Run) -> str:
    """As stage 11 calls it: ``ours, fine-tuned, forced`` of the system ``finetune_ours forced``."""
    if run.system == run.kind:
        return run.system
    name, trained = run.system.removesuffix(f" {run.kind}"), ""
    prefix, _, rest = name.partition("_")
    if prefix in TRAINED and rest:
        name, trained = rest, "" if prefix == "distill" else TRAINED[prefix]
    return name_model(name, trained, run.kind)


def _seeds(run: Run) -> tuple[int, ...]:
    """Of the training of the system's model, where it is known."""
    config = Path(run.result["scorer"].get("model") or "-").parent / "config.yaml"
    if not config.is_file():
        return ()
    return (yaml.safe_load(config.read_text(encoding="utf-8"))["seed"],)
