"""Stage 11: one table of everything that was evaluated, with what its numbers mean."""

from __future__ import annotations

import os
from pathlib import Path

from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.experiments import (
    Experiment,
    collect,
    read_cascades,
    split_common_suffix,
)
from espnet_ssr.evaluate.fidelity_bands import accuracy_by_count
from espnet_ssr.evaluate.report_text import KINDS, millions, percent
from espnet_ssr.markdown import describe_run, number, table
from espnet_ssr.plots import plot_bars

COLUMNS = {
    "cosine": "cosine",
    "centred_cosine": "centred cosine",
    "mse": "MSE / variance",
    "token_accuracy": "token accuracy",
    "token_accuracy_0": "0 times",
    "token_accuracy_1_9": "1-9 times",
    "token_accuracy_10_99": "10-99 times",
    "token_accuracy_100": "100+ times",
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
LLM_COLUMNS = {
    ("llm", "connector", "nats_per_token"): "nats a token: vectors",
    ("llm", "text", "nats_per_token"): "text",
    ("llm", "other utterance", "nats_per_token"): "other utterance",
    ("llm", "nothing", "nats_per_token"): "nothing",
    ("llm", "connector", "token_accuracy"): "accuracy",
    ("llm", "connector", "wer"): "WER",
    ("llm", "connector", "cer"): "CER",
    ("llm", "text", "wer"): "WER of the text",
    ("continuation", "connector", "nats_per_token"): "going on: vectors",
    ("continuation", "text", "nats_per_token"): "going on: text",
    ("dictation", "connector", "nats_per_token"): "dictation: nats",
    ("dictation", "connector", "wer"): "dictation: WER",
}
PLOTTED = ("cosine", "centred_cosine", "token_accuracy")
CONTROL = "shuffled segments"
CONSTANT = "mean embedding"


def write_results(expdir: Path, output: Path, command: str) -> None:
    """Write ``output`` (Markdown) and a picture a test set into ``images/`` beside it."""
    experiments, cascades = collect(expdir), read_cascades(expdir)
    short_names, suffix = split_common_suffix([e.name for e in experiments])
    for experiment, name in zip(experiments, short_names, strict=True):
        experiment.name = name
    shared = {"all models": suffix} if suffix else {}
    sections = ["# Results\n", describe_run(command, **shared)]
    for test_set in sorted({e.test_set for e in experiments}):
        chosen = [e for e in experiments if e.test_set == test_set]
        sections += [f"## {test_set}\n", *_describe_set(test_set, chosen, output.parent)]
        sections += [_describe_cascade(*item) for item in cascades.get(test_set, {}).items()]
    sections += _point_at_choices(expdir, output.parent)
    kinds = [kind for kind in KINDS if any(kind in e.result for e in experiments)]
    sections += ["## What the figures mean\n", *(KINDS[kind] for kind in kinds)]
    write_lines(output, "\n".join(sections).splitlines())


def _point_at_choices(expdir: Path, folder: Path) -> list[str]:
    """Where the reports of choice tasks are, as seen from ``folder``."""
    reports = [file.parent for file in sorted(expdir.glob("*/report/RESULTS.md"))]
    links = [os.path.relpath(report, folder) for report in reports]
    lines = [f"- [tables]({link}/RESULTS.md), [page]({link}/report.html)\n" for link in links]
    return ["## Choice tasks\n", *lines] if lines else []


def _describe_set(test_set: str, experiments: list[Experiment], folder: Path) -> list[str]:
    """Sections of one test set: a table each of the kinds of results that there are."""
    forced, textless, llm, retention = (
        [e for e in experiments if kind in e.result]
        for kind in ("figures", "textless", "llm", "retention")
    )
    sections = []
    if forced:
        picture = f"images/{test_set}.png"
        plot_bars(folder / picture, _bars(forced), f"{test_set}: connector beside its controls")
        sections += [_describe_tokens(forced), _table(forced), f"![{test_set}]({picture})\n"]
    if textless:
        sections.append(f"### {test_set}, segments without transcripts\n")
        sections.append(_textless_table(textless, forced))
    if llm:
        sections += [f"### {test_set}, in front of the LLM\n", _llm_table(llm)]
    if retention:
        sections += [f"### {test_set}, without speech\n", _retention_table(retention)]
    return sections


def _describe_tokens(experiments: list[Experiment]) -> str:
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
        size, seed = millions(e.result["parameters"]), str(e.config["seed"])
        figures = e.result["figures"]
        by_count = accuracy_by_count(e.result.get("bands", {}).get("frequency", ()))
        rows.append(
            [f"**{e.name}**", e.commit, size, seed, *_cells(figures["connector"] | by_count)]
        )
        rows.append([f"↳ {CONTROL}", "", "", "", *_cells(figures[CONTROL])])
    rows.append([CONSTANT, "", "0", "", *_cells(experiments[0].result["figures"][CONSTANT])])
    return table(header, rows, text_columns=4)


def _textless_table(textless: list[Experiment], forced: list[Experiment]) -> str:
    """Textless rows, each under the same model on forced segments."""
    header = ["model", "segments", *TEXTLESS_COLUMNS.values()]
    rows = {}
    by_name = {e.name: e.result["figures"]["connector"] for e in forced}
    for e in textless:
        if e.name in by_name:
            figures = by_name[e.name]
            figures = {**figures, "centred_cosine_of_exact": figures["centred_cosine"]}
            rows[e.name, "forced"] = _cells(figures, TEXTLESS_COLUMNS)
        segments = "own" if "figures" in e.result else "textless"
        rows[e.name, segments] = _cells(e.result["textless"], TEXTLESS_COLUMNS)
    cells = [[f"**{name}**", segments, *found] for (name, segments), found in rows.items()]
    return table(header, cells, text_columns=2)


def _llm_table(experiments: list[Experiment]) -> str:
    header = ["model", "trained", "trained by", "parameters", "seed", "vectors a second"]
    rows = []
    for e in experiments:
        size, seed = millions(e.result["parameters"]), str(e.config["seed"])
        rate = number(e.result["vectors_per_second"], 2)
        figures = {
            (kind, row, key): e.result.get(kind, {}).get(row, {}).get(key)
            for kind, row, key in LLM_COLUMNS
        }
        cells = _cells(figures, LLM_COLUMNS)
        rows.append([f"**{e.name}**", e.trained, e.commit, size, seed, rate, *cells])
    return table([*header, *LLM_COLUMNS.values()], rows, text_columns=5)


def _describe_cascade(recogniser: str, figures: dict[str, float]) -> str:
    rates = f"WER {percent(figures['wer'])}, CER {percent(figures['cer'])}"
    return f"A cascade reads the transcripts of `{recogniser}` instead: {rates}.\n"


def _retention_table(experiments: list[Experiment]) -> str:
    """Text ability of each fine-tuned LLM under that of the original."""
    header = ["model", "trained by", "seed", "perplexity", "change", "BLiMP", "change", "interval"]
    rows = {}
    for e in experiments:
        before, after, change = (e.result["retention"][k] for k in ("before", "after", "change"))
        ends = change.get("blimp_interval", (None, None))
        rows.setdefault("original", ["original LLM", "", "", *_text_ability(before), ""])
        rows[e.name] = [
            *(f"**{e.name}**", e.commit, str(e.config["seed"])),
            *_text_ability(after, change),
            " to ".join(percent(end) for end in ends),
        ]
    return table(header, list(rows.values()), text_columns=3)


def _text_ability(figures: dict, change: dict | None = None) -> list[str]:
    """Perplexity, its change, accuracy on BLiMP, its change; in per cent but for the first."""
    change = change or {}
    perplexity = number(figures.get("perplexity"), 2)
    shares = change.get("perplexity"), figures.get("blimp"), change.get("blimp")
    return [perplexity, *map(percent, shares)]


def _cells(figures: dict, columns: dict = COLUMNS) -> list[str]:
    return [
        percent(figures.get(key)) if "WER" in name or "CER" in name else number(figures.get(key), 3)
        for key, name in columns.items()
    ]


def _bars(experiments: list[Experiment]) -> dict[str, dict[str, float]]:
    def pick(figures):
        return {COLUMNS[key]: figures[key] for key in PLOTTED}

    bars = {e.name: pick(e.result["figures"]["connector"]) for e in experiments}
    bars[CONTROL] = pick(experiments[0].result["figures"][CONTROL])
    bars[CONSTANT] = pick(experiments[0].result["figures"][CONSTANT])
    return bars
