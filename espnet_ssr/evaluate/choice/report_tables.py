"""Tables of the report, as rows of texts: ``report.py`` makes Markdown, ``page.py`` HTML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from espnet_ssr.evaluate.choice.answer import NORMALISATIONS
from espnet_ssr.evaluate.choice.collect import HEARING, TOPLINE, Run, Runs, difference, read_paper
from espnet_ssr.evaluate.choice.statistics import Difference
from espnet_ssr.evaluate.figures import column_of

NONE = "-"
FACTOR = column_of("rtf")


class Table(NamedTuple):
    """Texts, the first ``text_columns`` of which are no numbers."""

    title: str
    notes: str
    header: list[str]
    rows: list[list[str]]
    text_columns: int = 1


def make_tables(runs: Runs) -> list[Table]:
    """All that have rows."""
    tables = [_gaps(runs), _accuracies(runs), _paper(runs), _normalisations(runs), _missing(runs)]
    return [table for table in tables if table.rows]


def interval_text(value: float, interval: Iterable[float], sign: str = "") -> str:
    """``56.2 [54.1, 58.3]``, in per cent or points."""
    low, high = (f"{100 * end:{sign}.1f}" for end in interval)
    return f"{100 * value:{sign}.1f} [{low}, {high}]"


def _gaps(runs: Runs) -> Table:
    rows = []
    for asked in runs.asked:
        topline, cascade = runs.of_kind(TOPLINE, asked), runs.of_kind("cascade", asked)
        for run in runs.of_task(asked):
            rows += [_gap(run, m, topline, cascade) for m in run.answers if run.kind in HEARING]
    header = ["task", "mode", "system", "items", "text", "speech", "gap", "gap to its own text"]
    header += ["less the cascade", "McNemar p"]
    return Table(
        "Gap between text and speech",
        "Accuracy of the text topline less that of a system that hears, on the same items, in "
        "points with 95 % intervals (paired bootstrap): less is better, and the goal is at most 1. "
        "*Its own text*: the same system in mode T, where it was asked that. *Less the cascade*: "
        "accuracy less the cascade's in the same mode, with McNemar's exact test.",
        header,
        [row for row in rows if row],
        3,
    )


def _gap(run: Run, mode: str, topline: Run | None, cascade: Run | None) -> list[str]:
    if mode == "T":
        return []
    to_text = difference(topline, "T", run, mode)
    own = difference(run, "T", run, mode)
    other = None if run is cascade else difference(cascade, mode, run, mode)
    shares = (to_text.first, to_text.second) if to_text else (None, run.accuracy(mode)["value"])
    return [
        *(run.asked, mode, run.system),
        str(to_text.items if to_text else len(run.answers[mode])),
        *(NONE if share is None else f"{100 * share:.1f}" for share in shares),
        _loss(to_text),
        _loss(own),
        interval_text(*other.difference, "+") if other else NONE,
        f"{other.p_value:.2g}" if other else NONE,
    ]


def _loss(found: Difference | None) -> str:
    if found is None:
        return NONE
    value, (low, high) = found.difference
    return interval_text(0.0 - value, (0.0 - high, 0.0 - low), "+")


def _accuracies(runs: Runs) -> Table:
    columns = [(asked, mode) for asked in runs.asked for mode in runs.modes(asked)]
    rows = [["chance", *(_chance(runs, *column) for column in columns), NONE]]
    for system in runs.systems:
        found = [(runs.find(system, asked), mode) for asked, mode in columns]
        factor = runs.real_time_factor(system)
        shown = NONE if factor is None else f"{factor:.{FACTOR.digits}f}"
        rows.append([system, *(_cell(run, mode) for run, mode in found), shown])
    return Table(
        "Accuracy",
        "Per cent with 95 % intervals (bootstrap), likelihoods normalised as in the paper (see "
        "below). Candidates that are equally likely count as if one of them were drawn. T: all is "
        "text; S: contexts and candidates are speech; S->T: only contexts are; T->S: only "
        f"candidates are. {NONE}: not asked, or refused (see below). The real-time factor is CPU "
        "time, not time on the clock: of all threads together, a second of speech, to turn speech "
        "into what the LLM reads (encoder, aligner or recogniser, connector; not the LLM's own "
        f"reading), over all tasks. {NONE} there: hears no audio, on a GPU, or not measured.",
        [
            "system",
            *(f"{asked} {mode}" for asked, mode in columns),
            f"{FACTOR.heading} (CPU time)",
        ],
        rows,
    )


def _chance(runs: Runs, asked: str, mode: str) -> str:
    found = [r.result["modes"][mode] for r in runs.of_task(asked) if mode in r.answers]
    return f"{100 * found[0]['chance']:.1f}" if found else NONE


def _cell(run: Run | None, mode: str, normalisation: str | None = None) -> str:
    figure = run and run.accuracy(mode, normalisation)
    return interval_text(figure["value"], figure["interval"]) if figure else NONE


def _paper(runs: Runs) -> Table:
    rows = []
    for number in read_paper():
        key = number["task"], number.get("shots", 0)
        here = [r for r in runs if (r.result["task"], r.result["shots"]) == key]
        found = [
            f"{r.system}: {_cell(r, number['mode'])}" for r in here if number["mode"] in r.answers
        ]
        name = f"{number['task']}, {key[1]} shots" if key[1] else number["task"]
        rows.append(
            [
                name,
                number["mode"],
                f"{number['system']} ({number['llm']})",
                "; ".join(found) or NONE,
            ]
            + [f"{number['value']:g} [{number['known']}]"]
        )
    return Table(
        "Beside the paper",
        "The paper's own numbers are in the last column. [R]: quoted from its tables by a "
        "published review; the tables themselves were not at hand. Its LLMs are larger, items and "
        "voices are others.",
        ["task", "mode", "the paper's system", "here", "paper's own number"],
        rows,
        4,
    )


def _normalisations(runs: Runs) -> Table:
    rows = [
        [run.asked, mode, run.system, *(_marked(run, mode, name) for name in NORMALISATIONS)]
        for asked in runs.asked
        for run in runs.of_task(asked)
        for mode in (run.answers if run.system in runs.systems else ())
    ]
    return Table(
        "Normalisation of likelihoods",
        "By nothing, by the number of tokens that were scored, by the number of characters of the "
        "text. \\*: the paper's, as far as known.",
        ["task", "mode", "system", *NORMALISATIONS],
        rows,
        3,
    )


def _marked(run: Run, mode: str, normalisation: str) -> str:
    mark = "*" if normalisation == run.normalisation else ""
    return _cell(run, mode, normalisation) + mark


def _missing(runs: Runs) -> Table:
    left_out = [
        (run.asked, "all", "all", cause, str(n))
        for run in runs
        for cause, n in run.result["left_out"].items()
    ]
    skipped = [
        (run.asked, mode, run.system, cause, str(n))
        for run in runs
        for mode, figures in run.result["modes"].items()
        for cause, n in figures["skipped"].items()
    ]
    return Table(
        "Not answered",
        "Items that have no answer. *all*: nobody is asked them, as the benchmark's files are bad "
        "there, or, in each mode, as no voice can say them (`left_out`). *refused*: the system "
        "cannot be asked that, for example for the likelihood of speech where its vectors stand "
        "for no tokens; the file `skipped` of the run says why.",
        ["task", "mode", "system", "cause", "items"],
        [list(row) for row in dict.fromkeys(left_out + skipped)],
        4,
    )
