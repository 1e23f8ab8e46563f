"""Several connectors beside each other: one table and one picture a test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.experiments import (
    TRAINED,
    Experiment,
    read_experiments,
    training_hours,
)
from espnet_ssr.evaluate.figures import FIGURES, figures_table
from espnet_ssr.evaluate.records import Record, commit_of, name_model, write_records
from espnet_ssr.evaluate.result_figures import SHARED, Figures, figures_of
from espnet_ssr.markdown import describe_run
from espnet_ssr.plots import plot_panels
from espnet_ssr.train.cost import read_cost

EXPLANATION = """\
- Figures are means over *seeds*, ± their standard deviation (with n - 1).
- **CPU minutes**: of all steps of the training, data loaders included, validation left out; of the
  first process where there are several. *steps*: of the optimizer, until training stopped. *hours*:
  of speech that was trained on.
- **token accuracy**, **centred cosine**, **WER**: of one vector a token against the embeddings of
  the vocabulary, for connectors that give one. *0 times* to *100+ times*: token accuracy of tokens
  that occur so often in the training set.
- **number exact**: share of utterances with the right number of vectors without a transcript: by
  the connector itself, or by the aligner's segments (`--textless true`).
- **nats a token**: minus the mean log-likelihood of a token of the transcript after what the frozen
  LLM was given: *vectors* of the connector, the embeddings of the *text* (topline), the vectors of
  an *other utterance* and *nothing* (controls).
- **M** (misalignment): nats a token between what the LLM predicts after the embeddings and after
  the vectors of the tokens before it, KL(text || speech).
- **WER (LLM)**: of what the LLM writes after the vectors, and after the embeddings of the text:
  where that is bad the LLM cannot repeat what it reads.
"""

COLUMNS = (
    *("parameters", "hours", "vectors_per_second", "steps", "cpu_minutes", "token_accuracy"),
    *("token_accuracy_0", "token_accuracy_1_9", "token_accuracy_10_99", "token_accuracy_100"),
    *("centred_cosine", "wer", "textless_exact", "nats", "nats_text", "nats_other"),
    *("nats_nothing", "M", "llm_wer", "llm_wer_text"),
)
"""Figures of the table, without the gain."""

USES = ("", "forced", "own", "textless")
"""How a connector was used; what several have is shown of the first one."""


@dataclass(frozen=True)
class Run:
    """One training on one test set; ``figures`` by use or control."""

    folder: Path
    seed: int
    commit: str
    figures: Figures

    def shown(self) -> dict[str, float]:
        """Figures of the connector, however it was used."""
        found: dict[str, float] = {}
        for use in USES:
            found = {**self.figures.get(use, {}), **found}
        return found


@dataclass(frozen=True)
class Row:
    """One connector; a training a seed, each in a folder of its own."""

    name: str
    folders: Sequence[Path]

    @property
    def model(self) -> str:
        """The name, with how it was trained where that was not by distillation."""
        trained = TRAINED.get(self.folders[0].name.split("_")[0], "")
        return name_model(self.name, "" if trained == TRAINED["distill"] else trained)


Comparison = dict[str, dict[Row, list[Run]]]
"""Test set -> row -> the runs that were evaluated on it."""


def compare(rows: Sequence[Row], inference: str = "decode") -> Comparison:
    """Read the results of all rows; a row may lack some or all of its runs.

    Args:
        inference: the inference config's name, or its tag.

    Raises:
        FileNotFoundError: no row was evaluated.
    """
    found = {row: [_read_runs(folder, inference) for folder in row.folders] for row in rows}
    test_sets = sorted({name for folders in found.values() for runs in folders for name in runs})
    if not test_sets:
        raise FileNotFoundError("none of the connectors was evaluated: run stage 10")
    return {
        test_set: {
            row: [runs[test_set] for runs in folders if test_set in runs]
            for row, folders in found.items()
        }
        for test_set in test_sets
    }


def _read_runs(folder: Path, inference: str) -> dict[str, Run]:
    """One training's run on each test set."""
    by_set: dict[str, list[Experiment]] = {}
    for experiment in read_experiments(folder):
        if experiment.inference == inference:
            by_set.setdefault(experiment.test_set, []).append(experiment)
    return {
        test_set: Run(
            folder,
            experiments[0].config["seed"],
            commit_of(experiments[0].commit),
            _figures(folder, experiments),
        )
        for test_set, experiments in by_set.items()
    }


def _figures(folder: Path, experiments: Sequence[Experiment]) -> Figures:
    """Figures of all results of one model on one set.

    Where two results have a figure it is that of the one in front of the LLM, as its vectors are
    those that the nats are of.
    """
    figures: Figures = {}
    for experiment in sorted(experiments, key=lambda e: "llm" in e.result):
        for use, found in figures_of(experiment.result).items():
            figures.setdefault(use, {}).update(found)
    first = figures.setdefault(next((use for use in USES if use in figures), ""), {})
    first |= training_hours(experiments[0].config)
    if cost := read_cost(folder):
        first |= {"steps": cost.steps, "cpu_minutes": cost.cpu_seconds / 60}
    return figures


def make_records(comparison: Comparison, recipe: str, baseline: str | None = None) -> list[Record]:
    """Means and standard deviations (with n - 1; none of equal values) over the seeds.

    Args:
        baseline: name of a row; the others have a ``token_accuracy_gain`` over it.

    Raises:
        ValueError: there is no such row with a token accuracy.
    """
    records: dict[tuple[str, str, str], Record] = {}
    for test_set, rows in comparison.items():
        base = None if baseline is None else _accuracy_of(baseline, rows)
        for row, runs in rows.items():
            uses = dict.fromkeys(use for run in runs for use in run.figures)
            for use in uses:
                model = use if use in SHARED else name_model(row.model, use)
                for record in _pool(recipe, test_set, model, use, runs, base):
                    records.setdefault((record.set, record.model, record.figure), record)
    return list(records.values())


def _accuracy_of(baseline: str, rows: dict[Row, list[Run]]) -> float:
    for row, runs in rows.items():
        values = [r.shown()["token_accuracy"] for r in runs if "token_accuracy" in r.shown()]
        if row.name == baseline and values:
            return mean(values)
    raise ValueError(f"baseline {baseline}: no such row with a token accuracy")


def _pool(
    recipe: str, test_set: str, model: str, use: str, runs: Sequence[Run], base: float | None
) -> list[Record]:
    """Records of one use of a connector, or of a control."""
    records = []
    for figure in dict.fromkeys(f for run in runs for f in run.figures.get(use, {})):
        having = [run for run in runs if figure in run.figures.get(use, {})]
        values = [run.figures[use][figure] for run in having]
        pooled = {figure: mean(values)}
        if len(set(values)) > 1:
            pooled[f"{figure}_sd"] = stdev(values)
        if figure == "token_accuracy" and base is not None and use in USES:
            pooled["token_accuracy_gain"] = mean(values) - base
        seeds = tuple(sorted(run.seed for run in having))
        commit = ", ".join(sorted({run.commit for run in having}))
        records += [
            Record(recipe, test_set, model, name, value, seeds, commit)
            for name, value in pooled.items()
        ]
    return records


def write_comparison(
    comparison: Comparison,
    output: Path,
    title: str,
    command: str,
    recipe: str,
    baseline: str | None = None,
) -> None:
    """Write ``output`` (Markdown), the figures of its tables beside it in JSON (see ``records``),
    and a picture a test set into ``images/``.

    Args:
        baseline: name of a row; the table says how much more token accuracy the others have.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    records = make_records(comparison, recipe, baseline)
    write_records(output.with_suffix(".json"), records)
    sections = [f"# {title}\n", describe_run(command)]
    for test_set, rows in comparison.items():
        picture = f"images/{output.stem}_{test_set}.png"
        _plot(rows, output.parent / picture, f"{title}: {test_set}")
        models = {row.model: [name_model(row.model, use) for use in USES] for row in rows}
        of_set = [record for record in records if record.set == test_set]
        shown = figures_table(of_set, [*COLUMNS, "token_accuracy_gain"], models)
        sections += [f"## {test_set}\n", _describe(rows), shown]
        sections.append(f"![{title}: {test_set}]({picture})\n")
    sections.append(EXPLANATION)
    write_lines(output, "\n".join(sections).splitlines())


def _describe(rows: dict[Row, list[Run]]) -> str:
    """What is not there."""
    runs = [run for found in rows.values() for run in found]
    found = {run.folder for run in runs}
    missing = [(row, folder) for row in rows for folder in row.folders if folder not in found]
    lines = [f"- **missing: {row.name}**: no results in `{folder}`\n" for row, folder in missing]
    return "".join(lines)


def _plot(rows: dict[Row, list[Run]], path: Path, title: str) -> None:
    """Nats and token accuracy against vectors a second, parameters and training time."""

    def axis(name):
        return FIGURES[name].heading

    points = {
        row.model: [
            {axis(name): value for name, value in run.shown().items() if name in COLUMNS}
            for run in runs
        ]
        for row, runs in rows.items()
    }
    shown = [run.shown() for found in rows.values() for run in found]
    levels = {
        axis(name): mean(values)
        for name in ("nats_text", "nats_nothing")
        if (values := [figures[name] for figures in shown if name in figures])
    }
    plot_panels(
        path,
        points,
        x_names=[axis(name) for name in ("vectors_per_second", "parameters", "cpu_minutes")],
        y_names=[axis(name) for name in ("nats", "token_accuracy")],
        title=title,
        levels={axis("nats"): levels},
    )
