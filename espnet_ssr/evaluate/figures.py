"""What the figures of ``RESULTS.json`` are called in tables, and tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from espnet_ssr.evaluate.records import Record
from espnet_ssr.markdown import table


class Shown(NamedTuple):
    """A column: its heading, and decimals of its figures."""

    heading: str
    digits: int = 3


FIGURES = {
    "parameters": Shown("parameters (M)", 2),
    "hours": Shown("hours", 2),
    "vectors_per_second": Shown("vectors a second", 2),
    "steps": Shown("steps", 0),
    "cpu_minutes": Shown("CPU minutes", 1),
    "rtf": Shown("real-time factor", 4),
    "cosine": Shown("cosine"),
    "centred_cosine": Shown("centred cosine"),
    "mse": Shown("MSE / variance"),
    "token_accuracy": Shown("token accuracy"),
    "token_accuracy_0": Shown("0 times"),
    "token_accuracy_1_9": Shown("1-9 times"),
    "token_accuracy_10_99": Shown("10-99 times"),
    "token_accuracy_100": Shown("100+ times"),
    "token_accuracy_gain": Shown("gain in accuracy"),
    "wer": Shown("WER", 1),
    "cer": Shown("CER", 1),
    "textless_exact": Shown("number exact"),
    "textless_within_one": Shown("within one"),
    "textless_surplus": Shown("surplus"),
    "tokens_found": Shown("tokens found"),
    "nats": Shown("nats a token: vectors"),
    "nats_text": Shown("text"),
    "nats_other": Shown("other utterance"),
    "nats_nothing": Shown("nothing"),
    "llm_token_accuracy": Shown("accuracy"),
    "llm_wer": Shown("WER (LLM)", 1),
    "llm_cer": Shown("CER (LLM)", 1),
    "llm_wer_text": Shown("WER of the text", 1),
    "continuation_nats": Shown("going on: vectors"),
    "continuation_nats_text": Shown("going on: text"),
    "continuation_perplexity": Shown("perplexity after speech", 0),
    "continuation_perplexity_text": Shown("perplexity after text", 0),
    "continuation_gap": Shown("gap of going on (nats)"),
    "M": Shown("M (nats)"),
    "dictation_nats": Shown("dictation: nats"),
    "dictation_wer": Shown("dictation: WER", 1),
    "perplexity": Shown("perplexity", 2),
    "perplexity_change": Shown("change of perplexity", 1),
    "F": Shown("F (nats)"),
    "blimp": Shown("BLiMP", 1),
    "blimp_change": Shown("change of BLiMP", 1),
    "end_error": Shown("word ends: error (ms)", 1),
    "end_error_median": Shown("word ends: median (ms)", 0),
    "end_error_signed": Shown("word ends: signed (ms)", 1),
    "end_error_unbiased": Shown("word ends: unbiased (ms)", 1),
    "start_error": Shown("word starts: error (ms)", 1),
    "coverage": Shown("coverage (%)", 1),
    "encoder_share": Shown("of it the encoder (%)", 0),
}
"""Figure -> column; see ``records`` for the units."""

OF_CHOICE = ("accuracy_", "gap_")
"""Beginnings of the figures of choice tasks."""


def column_of(figure: str) -> Shown:
    """How a figure is shown.

    Raises:
        ValueError: there is no such figure.
    """
    if figure in FIGURES:
        return FIGURES[figure]
    for kind in OF_CHOICE:
        if figure.startswith(kind):
            return Shown(figure.replace("_", " "), 1)
    raise ValueError(f"{figure}: no such figure; there are {', '.join([*FIGURES, *OF_CHOICE])}")


def figures_table(
    records: Iterable[Record],
    figures: Sequence[str],
    rows: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """A Markdown table of a set: a row a model, with its seeds and commits; columns without any
    figure are left out.

    Args:
        records: of one recipe and set.
        rows: name of a row -> models that its figures are of; where several have one, it is the
            first one's. Default: a row for each model that has some of the figures.
    """
    found: dict[str, dict[str, Record]] = {}
    for record in records:
        found.setdefault(record.model, {})[record.figure] = record
    if rows is None:
        rows = {model: [model] for model, own in found.items() if set(figures) & set(own)}
    merged = {
        name: _merge(found.get(model, {}) for model in models) for name, models in rows.items()
    }
    columns = [f for f in figures if any(f in own for own in merged.values())]
    header = ["model", "seeds", "commit", *(column_of(f).heading for f in columns)]
    cells = []
    for name, own in merged.items():
        shown = [own[figure] for figure in columns if figure in own]
        seeds = sorted({seed for record in shown for seed in record.seeds})
        commits = dict.fromkeys(record.commit for record in shown)
        label = [name, ", ".join(map(str, seeds)) or "-", ", ".join(commits) or "-"]
        cells.append([*label, *(_cell(own, figure) for figure in columns)])
    return table(header, cells, text_columns=3)


def _merge(parts: Iterable[dict[str, Record]]) -> dict[str, Record]:
    merged: dict[str, Record] = {}
    for part in parts:
        merged = {**part, **merged}
    return merged


def _cell(own: Mapping[str, Record], figure: str) -> str:
    """``0.500 ± 0.100``, ``14.5 [12.2, 16.9]`` or the value alone."""
    if figure not in own:
        return "-"
    digits = column_of(figure).digits
    value, deviation, low, high = (
        f"{own[name].value:.{digits}f}" if name in own else None
        for name in (figure, f"{figure}_sd", f"{figure}_low", f"{figure}_high")
    )
    if low is not None and high is not None:
        return f"{value} [{low}, {high}]"
    return value if deviation is None else f"{value} ± {deviation}"
