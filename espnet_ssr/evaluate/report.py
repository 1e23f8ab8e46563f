"""Stage 11: one table of everything that was evaluated, with what its numbers mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from espnet_ssr.datadir import write_lines
from espnet_ssr.environment import read_environment
from espnet_ssr.markdown import describe_run, table
from espnet_ssr.plots import plot_bars

COLUMNS = {
    "cosine": "cosine",
    "centred_cosine": "centred cosine",
    "mse": "MSE / variance",
    "token_accuracy": "token accuracy",
    "token_accuracy_seen": "seen tokens",
    "token_accuracy_unseen": "unseen tokens",
    "wer": "WER",
    "cer": "CER",
}
TEXTLESS_COLUMNS = {
    "segments_exact": "number exact",
    "segments_within_one": "within one",
    "segment_surplus": "surplus",
    "tokens_found": "tokens found",
    "centred_cosine_of_exact": "centred cosine",
    "wer": "WER",
    "cer": "CER",
}
PLOTTED = ("cosine", "centred_cosine", "token_accuracy")
CONTROL = "shuffled segments"
CONSTANT = "mean embedding"

EXPLANATION = """\
- **cosine**, **centred cosine**: connector output against the token's embedding; *centred*: after
  subtracting the mean of all embeddings, which flatters the raw figure.
- **MSE / variance**: squared distance over the mean squared distance of embeddings from their mean.
- **token accuracy**: share of tokens whose embedding is the nearest of the whole vocabulary
  (centred cosine); *seen* and *unseen*: tokens that do, or do not, occur in the training set.
- **WER**, **CER**: of the text that the nearest tokens spell, in per cent.
- *shuffled segments* (control): the same connector on real segments of other utterances.
- *mean embedding* (control): for every token the mean embedding of the training set's tokens. What
  it reaches is what frequent tokens have in common, and is not to be credited to a connector.
"""

TEXTLESS_EXPLANATION = """\
- *number exact*, *within one*: share of utterances with as many segments as tokens, or one more or
  less; *surplus*: segments too many, for each token.
- *tokens found*: share of the right tokens that an alignment by edit distance finds among the
  nearest ones (for forced segments, too, so it is comparable); *centred cosine*: over utterances
  with the exact number only. Utterances in which the aligner heard nothing count as deleted.
"""


@dataclass
class Experiment:
    """One trained model on one test set."""

    name: str
    test_set: str
    config: dict
    result: dict
    commit: str
    """Of the code that trained it."""

    @property
    def textless(self) -> bool:
        return "textless" in self.result


def collect(expdir: Path) -> list[Experiment]:
    """Every ``result.json`` below ``expdir/distill_*/<inference>/<set>/``, by name."""
    found = []
    for file in sorted(expdir.glob("distill_*/*/*/result.json")):
        folder = file.parents[2]
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        result = json.loads(file.read_text())
        name = folder.name.removeprefix("distill_")
        inference = file.parents[1].name
        if inference not in ("decode", "decode_textless"):
            name += f" ({inference})"
        commit = read_environment(folder / "env.txt").get("espnet_ssr", "unknown")
        found.append(Experiment(name, file.parent.name, config, result, commit))
    if not found:
        raise FileNotFoundError(f"{expdir}: nothing was evaluated yet: run stage 10")
    return found


def split_common_suffix(names: list[str]) -> tuple[list[str], str]:
    """Cut what all names end with, at an underscore, off them: it is said once, above the table."""
    words = [name.split("_") for name in names]
    common = 0
    while len(set(names)) > 1 and all(len(w) > common + 1 for w in words):
        if len({w[-common - 1] for w in words}) > 1:
            break
        common += 1
    cut = len(words[0]) - common
    return ["_".join(w[: len(w) - common]) for w in words], "_".join(words[0][cut:])


def write_results(expdir: Path, output: Path, command: str) -> None:
    """Write ``output`` (Markdown) and a picture a test set into ``images/`` beside it."""
    experiments = collect(expdir)
    short_names, suffix = split_common_suffix([e.name for e in experiments])
    for experiment, name in zip(experiments, short_names, strict=True):
        experiment.name = name
    shared = {"all models": suffix} if suffix else {}
    sections = ["# Results\n", describe_run(command, **shared)]
    for test_set in sorted({e.test_set for e in experiments}):
        chosen = [e for e in experiments if e.test_set == test_set and not e.textless]
        sections.append(f"## {test_set}\n")
        if chosen:
            picture = output.parent / "images" / f"{test_set}.png"
            plot_bars(picture, _bars(chosen), f"{test_set}: connector beside its controls")
            sections.append(_describe_set(chosen))
            sections.append(_table(chosen))
            sections.append(f"![{test_set}](images/{test_set}.png)\n")
        textless = [e for e in experiments if e.test_set == test_set and e.textless]
        if textless:
            sections.append(f"### {test_set}, segments without transcripts\n")
            sections.append(_textless_table(textless, chosen))
            sections.append(TEXTLESS_EXPLANATION)
    sections.append(EXPLANATION)
    write_lines(output, "\n".join(sections).splitlines())


def _describe_set(experiments: list[Experiment]) -> str:
    result = experiments[0].result
    return (
        f"{result['utterances']} utterances, {result['seconds']:.0f} s, "
        f"{result['tokens']} tokens, of which {100 * result['seen_share']:.1f} % occur in the "
        f"training set. {result['vectors_per_second']:.2f} vectors a second of speech, one for "
        f"{result['frames_per_vector']:.1f} frames.\n"
    )


def _table(experiments: list[Experiment]) -> str:
    header = ["model", "trained by", "parameters", "seed", *COLUMNS.values()]
    rows = []
    for e in experiments:
        size, seed = f"{e.result['parameters'] / 1e6:.2f} M", str(e.config["seed"])
        figures = e.result["figures"]
        rows.append([f"**{e.name}**", e.commit, size, seed, *_cells(figures["connector"])])
        rows.append([f"↳ {CONTROL}", "", "", "", *_cells(figures[CONTROL])])
    rows.append([CONSTANT, "", "0", "", *_cells(experiments[0].result["figures"][CONSTANT])])
    return table(header, rows, text_columns=4)


def _textless_table(textless: list[Experiment], forced: list[Experiment]) -> str:
    """Textless rows, each under the same model on forced segments."""
    header = ["model", "segments", *TEXTLESS_COLUMNS.values()]
    rows = []
    by_name = {e.name: e.result["figures"]["connector"] for e in forced}
    for e in textless:
        if e.name in by_name:
            figures = by_name[e.name]
            figures = {**figures, "centred_cosine_of_exact": figures["centred_cosine"]}
            rows.append([f"**{e.name}**", "forced", *_cells(figures, TEXTLESS_COLUMNS)])
        rows.append([f"**{e.name}**", "textless", *_cells(e.result["textless"], TEXTLESS_COLUMNS)])
    return table(header, rows, text_columns=2)


def _cells(figures: dict[str, float | None], columns: dict[str, str] = COLUMNS) -> list[str]:
    cells = []
    for key in columns:
        value = figures.get(key)
        if value is None:
            cells.append("-")
        else:
            cells.append(f"{100 * value:.1f}" if key in ("wer", "cer") else f"{value:.3f}")
    return cells


def _bars(experiments: list[Experiment]) -> dict[str, dict[str, float]]:
    def pick(figures):
        return {COLUMNS[key]: figures[key] for key in PLOTTED}

    bars = {e.name: pick(e.result["figures"]["connector"]) for e in experiments}
    bars[CONTROL] = pick(experiments[0].result["figures"][CONTROL])
    bars[CONSTANT] = pick(experiments[0].result["figures"][CONSTANT])
    return bars
