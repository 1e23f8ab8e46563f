"""Several connectors beside each other: one table and one picture a test set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from statistics import mean, stdev

from espnet_ssr.datadir import write_lines
from espnet_ssr.environment import describe_environment
from espnet_ssr.evaluate.experiments import TRAINED, Experiment, read_experiments
from espnet_ssr.evaluate.fidelity_bands import accuracy_by_count
from espnet_ssr.markdown import describe_run, table
from espnet_ssr.plots import plot_panels
from espnet_ssr.train.cost import read_cost

EXPLANATION = """\
- Figures are means over *seeds*, ± their standard deviation (with n - 1).
- **CPU minutes**: of all steps of the training, data loaders included, validation left out; of the
  first process where there are several. *steps*: of the optimizer, until training stopped.
- **token accuracy**, **centred cosine**, **WER (nearest)**: of one vector a token against the
  embeddings of the vocabulary, for connectors that give one. *0 times* to *100+ times*: token
  accuracy of tokens that occur so often in the training set.
- **number exact**: share of utterances with the right number of vectors without a transcript: by
  the connector itself, or by the aligner's segments (`--textless true`).
- **nats**: minus the mean log-likelihood of a token of the transcript after what the frozen LLM was
  given: *vectors* of the connector, the embeddings of the *text* (topline), the vectors of
  *another* utterance and *nothing* (controls).
- **WER (LLM)**: of what the LLM writes after the vectors, and after the embeddings of the text:
  where that is bad the LLM cannot repeat what it reads.
"""


@dataclass(frozen=True)
class Figure:
    """A column of the table.

    Attributes:
        heading: of the column.
        path: keys that lead to it in ``result.json``; none for what is no result.
        digits: decimals; scale: what it is multiplied by to be shown.
    """

    heading: str
    path: tuple[str, ...] = ()
    digits: int = 3
    scale: float = 1


FIGURES = {
    "parameters": Figure("parameters (M)", ("parameters",), 2, 1e-6),
    "rate": Figure("vectors a second", ("vectors_per_second",), 2),
    "steps": Figure("steps", digits=0),
    "cpu_minutes": Figure("CPU minutes", digits=1),
    "token_accuracy": Figure("token accuracy", ("figures", "connector", "token_accuracy")),
    "token_accuracy_0": Figure("0 times", ("by_count", "token_accuracy_0")),
    "token_accuracy_1_9": Figure("1-9 times", ("by_count", "token_accuracy_1_9")),
    "token_accuracy_10_99": Figure("10-99 times", ("by_count", "token_accuracy_10_99")),
    "token_accuracy_100": Figure("100+ times", ("by_count", "token_accuracy_100")),
    "centred_cosine": Figure("centred cosine", ("figures", "connector", "centred_cosine")),
    "wer": Figure("WER (nearest)", ("figures", "connector", "wer"), 1, 100),
    "segments_exact": Figure("number exact", ("textless", "segments_exact")),
    "nats": Figure("nats: vectors", ("llm", "connector", "nats_per_token")),
    "nats_text": Figure("text", ("llm", "text", "nats_per_token")),
    "nats_other": Figure("another", ("llm", "other utterance", "nats_per_token")),
    "nats_nothing": Figure("nothing", ("llm", "nothing", "nats_per_token")),
    "llm_wer": Figure("WER (LLM)", ("llm", "connector", "wer"), 1, 100),
    "llm_wer_text": Figure("of the text", ("llm", "text", "wer"), 1, 100),
}


@dataclass(frozen=True)
class Run:
    """One training on one test set; ``figures`` by the keys of ``FIGURES``, without what is not
    known."""

    folder: Path
    seed: int
    commit: str
    figures: dict[str, float]


@dataclass(frozen=True)
class Row:
    """One connector; a training a seed, each in a folder of its own."""

    name: str
    folders: Sequence[Path]

    @property
    def trained(self) -> str:
        """How: one of the values of ``TRAINED``."""
        return TRAINED.get(self.folders[0].name.split("_")[0], "-")


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
    cost = read_cost(folder)
    costs = {"steps": cost.steps, "cpu_minutes": cost.cpu_seconds / 60} if cost else {}
    return {
        test_set: Run(
            folder,
            experiments[0].config["seed"],
            experiments[0].commit,
            {**costs, **_figures([e.result for e in experiments])},
        )
        for test_set, experiments in by_set.items()
    }


def _figures(results: list[dict]) -> dict[str, float]:
    """Figures of all results of one model on one set.

    Where two results have a figure it is that of the one in front of the LLM, as its vectors are
    those that the nats are of, then that of the connector's own number of vectors.
    """
    results = [
        {**result, "by_count": accuracy_by_count(result.get("bands", {}).get("frequency", ()))}
        for result in results
    ]
    ordered = sorted(results, key=lambda result: ("llm" not in result, "figures" not in result))
    figures = {}
    for name, figure in FIGURES.items():
        values = [reduce(_get, figure.path, result) for result in ordered if figure.path]
        known = [value for value in values if value is not None]
        if known:
            figures[name] = known[0]
    return figures


def _get(node: dict | None, key: str):
    return None if node is None else node.get(key)


def write_comparison(
    comparison: Comparison, output: Path, title: str, command: str, baseline: str | None = None
) -> None:
    """Write ``output`` (Markdown), the same figures beside it in JSON, and a picture a test set
    into ``images/``.

    Args:
        baseline: name of a row; the table says how much more token accuracy the others have.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    sections = [f"# {title}\n", describe_run(command)]
    for test_set, rows in comparison.items():
        picture = f"images/{output.stem}_{test_set}.png"
        _plot(rows, output.parent / picture, f"{title}: {test_set}")
        sections += [f"## {test_set}\n", _describe(rows), _table(rows, baseline)]
        sections.append(f"![{title}: {test_set}]({picture})\n")
    sections.append(EXPLANATION)
    write_lines(output, "\n".join(sections).splitlines())
    record = {"command": command, "environment": describe_environment()}
    record["test_sets"] = {name: _as_json(rows) for name, rows in comparison.items()}
    write_lines(output.with_suffix(".json"), [json.dumps(record, indent=1)])


def _as_json(rows: dict[Row, list[Run]]) -> list[dict]:
    return [
        {
            "name": row.name,
            "trained": row.trained,
            "runs": [{**vars(run), "folder": str(run.folder)} for run in runs],
        }
        for row, runs in rows.items()
    ]


def _describe(rows: dict[Row, list[Run]]) -> str:
    """Who trained what is shown, and what is not there."""
    runs = [run for found in rows.values() for run in found]
    lines = [f"- trained by: espnet_ssr {', '.join(sorted({run.commit for run in runs}))}"]
    found = {run.folder for run in runs}
    missing = [(row, folder) for row in rows for folder in row.folders if folder not in found]
    lines += [f"- **missing: {row.name}**: no results in `{folder}`" for row, folder in missing]
    return "\n".join(lines) + "\n"


def _table(rows: dict[Row, list[Run]], baseline: str | None) -> str:
    header = ["connector", "trained", "seeds", *(figure.heading for figure in FIGURES.values())]
    cells = []
    for row, runs in rows.items():
        seeds = ", ".join(str(run.seed) for run in runs) or "-"
        figures = [_cell(figure, _values(runs, name)) for name, figure in FIGURES.items()]
        cells.append([row.name, row.trained, seeds, *figures])
    if baseline is not None:
        header.append("gain in accuracy")
        for line, gain in zip(cells, _gains(rows, baseline), strict=True):
            line.append(gain)
    return table(header, cells, text_columns=3)


def _values(runs: Sequence[Run], name: str) -> list[float]:
    return [run.figures[name] for run in runs if name in run.figures]


def _cell(figure: Figure, values: list[float]) -> str:
    """Mean and standard deviation; no deviation of a single value or of equal ones."""
    if not values:
        return "-"
    shown = f"{figure.scale * mean(values):.{figure.digits}f}"
    if len(set(values)) > 1:
        shown += f" ± {figure.scale * stdev(values):.{figure.digits}f}"
    return shown


def _gains(rows: dict[Row, list[Run]], baseline: str) -> list[str]:
    """Mean token accuracy of each row less that of the row ``baseline``.

    Raises:
        ValueError: there is no such row, or it was not evaluated.
    """
    accuracies = [_values(runs, "token_accuracy") for runs in rows.values()]
    reference = [v for row, v in zip(rows, accuracies, strict=True) if row.name == baseline and v]
    if not reference:
        raise ValueError(f"baseline {baseline}: no such row with a token accuracy")
    return [f"{mean(v) - mean(reference[0]):+.3f}" if v else "-" for v in accuracies]


def _plot(rows: dict[Row, list[Run]], path: Path, title: str) -> None:
    """Nats and token accuracy against vectors a second, parameters and training time."""

    def axis(name):
        return FIGURES[name].heading

    points = {
        f"{row.name} ({row.trained})": [
            {axis(name): FIGURES[name].scale * value for name, value in run.figures.items()}
            for run in runs
        ]
        for row, runs in rows.items()
    }
    runs = [run for found in rows.values() for run in found]
    levels = {
        axis(name): mean(values)
        for name in ("nats_text", "nats_nothing")
        if (values := _values(runs, name))
    }
    plot_panels(
        path,
        points,
        x_names=[axis(name) for name in ("rate", "parameters", "cpu_minutes")],
        y_names=[axis(name) for name in ("nats", "token_accuracy")],
        title=title,
        levels={axis("nats"): levels},
    )
