"""Stage 11: tables of everything that was evaluated, with what their numbers mean, made from
``RESULTS.json``, which is written beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.experiments import (
    Experiment,
    collect,
    read_cascades,
    split_common_suffix,
    training_hours,
)
from espnet_ssr.evaluate.figures import figures_table
from espnet_ssr.evaluate.records import Record, commit_of, has_tag, name_model, write_records
from espnet_ssr.evaluate.report_text import KINDS
from espnet_ssr.evaluate.result_figures import CONTROL, PERCENT, SHARED, figures_of
from espnet_ssr.markdown import describe_run
from espnet_ssr.plots import plot_bars


class Part(NamedTuple):
    """A table of a set.

    Attributes:
        title: after the name of the set.
        keys: there is the table if a model has one of these figures.
        member: the figure that all of its models have one way or another; empty: one of ``keys``.
        figures: columns.
        tag: that its models have.
    """

    title: str
    keys: tuple[str, ...]
    figures: tuple[str, ...]
    member: str = ""
    tag: str = ""


COUNTED = (
    *("token_accuracy", "token_accuracy_0", "token_accuracy_1_9", "token_accuracy_10_99"),
    "token_accuracy_100",
)
PARTS = {
    "figures": Part(
        "",
        ("token_accuracy",),
        ("parameters", "hours", *COUNTED, "cosine", "centred_cosine", "mse", "wer", "cer"),
    ),
    "textless": Part(
        ", segments without transcripts",
        ("textless_exact",),
        ("textless_exact", "textless_within_one", "textless_surplus", "tokens_found")
        + ("centred_cosine", "wer", "cer"),
        "tokens_found",
    ),
    "llm": Part(
        ", in front of the LLM",
        ("nats",),
        ("parameters", "hours", "vectors_per_second", "nats", "nats_text", "nats_other")
        + ("nats_nothing", "llm_token_accuracy", "llm_wer", "llm_cer", "llm_wer_text")
        + ("continuation_nats", "continuation_nats_text", "M", "dictation_nats", "dictation_wer"),
    ),
    "cascade": Part(", cascade", ("wer",), ("wer", "cer"), tag="cascade"),
    "retention": Part(
        ", without speech",
        ("perplexity", "blimp"),
        ("perplexity", "perplexity_change", "F", "blimp", "blimp_change"),
    ),
}
"""Kind of results -> its table."""

PLOTTED = ("cosine", "centred_cosine", "token_accuracy")


def write_results(expdir: Path, output: Path, command: str, recipe: str) -> None:
    """Write ``output`` (``RESULTS.md``), ``RESULTS.json`` and, for each test set, a picture in
    ``images/`` beside it."""
    experiments = collect(expdir)
    short_names, suffix = split_common_suffix([e.name for e in experiments])
    for experiment, name in zip(experiments, short_names, strict=True):
        experiment.name = name
    records = make_records(experiments, recipe) + _cascade_records(expdir, recipe)
    write_records(output.with_suffix(".json"), records)
    shared = {"all models": suffix} if suffix else {}
    sections = ["# Results\n", describe_run(command, **shared)]
    for test_set in sorted({record.set for record in records}):
        chosen = [e for e in experiments if e.test_set == test_set and "figures" in e.result]
        of_set = [record for record in records if record.set == test_set]
        sections.append(f"## {test_set}\n")
        if chosen:
            picture = f"images/{test_set}.png"
            title = f"{test_set}: connector beside its controls"
            plot_bars(output.parent / picture, _bars(of_set), title)
            sections += [_describe_tokens(chosen[0].result), f"![{test_set}]({picture})\n"]
        sections += make_tables(test_set, of_set)
    sections += _point_at_choices(expdir, output.parent)
    kinds = [kind for kind, part in PARTS.items() if _members(part, records)]
    sections += ["## What the figures mean\n", *(KINDS[kind] for kind in kinds)]
    write_lines(output, "\n".join(sections).splitlines())


def make_records(experiments: Sequence[Experiment], recipe: str) -> list[Record]:
    """All figures of stage 10.

    Where two results of a model have a figure, it is that of the one in front of the LLM; controls
    that all models share are those of the first one.
    """
    records: dict[tuple[str, str, str], Record] = {}
    for e in experiments:
        trained, commit = "" if e.trained == "distilled" else e.trained, commit_of(e.commit)
        for tag, figures in figures_of(e.result).items():
            shared = tag in SHARED
            model = tag if shared else name_model(e.name, trained, tag)
            hours = {} if shared or tag == CONTROL else training_hours(e.config)
            seeds = () if shared else (e.config["seed"],)
            for figure, value in {**hours, **figures}.items():
                key = e.test_set, model, figure
                if not shared or key not in records:
                    records[key] = Record(recipe, e.test_set, model, figure, value, seeds, commit)
    return list(records.values())


def _cascade_records(expdir: Path, recipe: str) -> list[Record]:
    return [
        Record(recipe, test_set, f"{model}, cascade", figure, PERCENT * found[figure], (), "-")
        for test_set, models in read_cascades(expdir).items()
        for model, found in models.items()
        for figure in ("wer", "cer")
    ]


def make_tables(test_set: str, records: Sequence[Record]) -> list[str]:
    """Headings and tables of a set, of its records alone: one for each kind of results."""
    sections = []
    for part in PARTS.values():
        if members := _members(part, records):
            heading = [f"### {test_set}{part.title}\n"] if part.title else []
            rows = {model: [model] for model in members}
            sections += [*heading, figures_table(records, part.figures, rows)]
    return sections


def _members(part: Part, records: Sequence[Record]) -> list[str]:
    """Models of a table; a model's ways of use stand together."""
    keys = [r.model for r in records if r.figure in part.keys and _fits(part, r.model)]
    if not keys:
        return []
    names = {model.split(", ")[0]: None for model in keys}
    member = [r.model for r in records if r.figure == part.member]
    models = dict.fromkeys([*member, *keys] if part.member else keys)
    order = list(names)
    chosen = [model for model in models if model.split(", ")[0] in names]
    return sorted(chosen, key=lambda model: order.index(model.split(", ")[0]))


def _fits(part: Part, model: str) -> bool:
    return has_tag(model, part.tag) if part.tag else not has_tag(model, "cascade")


def _point_at_choices(expdir: Path, folder: Path) -> list[str]:
    """Where the reports of choice tasks are, as seen from ``folder``."""
    reports = [file.parent for file in sorted(expdir.glob("*/report/RESULTS.md"))]
    links = [os.path.relpath(report, folder) for report in reports]
    lines = [f"- [tables]({link}/RESULTS.md), [page]({link}/report.html)\n" for link in links]
    return ["## Choice tasks\n", *lines] if lines else []


def _describe_tokens(result: dict) -> str:
    return (
        f"{result['utterances']} utterances, {result['seconds']:.0f} s, "
        f"{result['tokens']} tokens, of which {100 * result['seen_share']:.1f} % occur in the "
        f"training set. {result['vectors_per_second']:.2f} vectors a second of speech, one for "
        f"{result['frames_per_vector']:.1f} frames.\n"
    )


def _bars(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Figures of models, of the first one's control and of the constant one."""
    bars: dict[str, dict[str, float]] = {}
    for record in records:
        if record.figure in PLOTTED:
            bars.setdefault(record.model, {})[record.figure.replace("_", " ")] = record.value
    bars = {model: figures for model, figures in bars.items() if len(figures) == len(PLOTTED)}
    controls = [model for model in bars if has_tag(model, CONTROL)]
    return {model: figures for model, figures in bars.items() if model not in controls[1:]}
