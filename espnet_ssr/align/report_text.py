"""The report of an aligner as Markdown."""

from __future__ import annotations

from urllib.parse import quote

from espnet_ssr.align.metrics import TOLERANCES_MS
from espnet_ssr.markdown import number, table

MOST_UNKNOWN = 50
"""Words out of vocabulary that are listed."""

MOST_SPEAKERS = 20
"""Speakers that are listed, those with the smallest share of aligned utterances first."""


def render_report(title: str, report: dict, pictures: dict[str, list[str]]) -> str:
    """The text of ``report.md``.

    Args:
        report: what ``report.json`` holds.
        pictures: names of the files beside it, by heading.
    """
    sections = [f"# {title}\n", _describe_set(report)]
    for name, meaning in (
        ("failed", "Not aligned. All are in `failed`."),
        ("suspicious", "Aligned, but the transcript may be wrong. All are in `suspicious`."),
        ("retried", "Searched again, as pruning left no path. All are in `retried`."),
    ):
        if report[name]:
            sections += [f"## {name.capitalize()}\n\n{meaning}\n", _describe_causes(report, name)]
    if speakers := _describe_speakers(report["speakers"]):
        sections += ["## Speakers\n", speakers]
    if report["boundary_errors"]:
        sections += ["## Word boundaries\n", describe_errors(report["boundary_errors"])]
    if report["out_of_vocabulary"]:
        sections += ["## Out of vocabulary\n", _describe_unknown(report["out_of_vocabulary"])]
    for heading, names in pictures.items():
        if names:
            links = "\n".join(f"![{name}]({quote(name)})\n" for name in names)
            sections.append(f"## {heading}\n\n{links}")
    return "\n".join(sections)


def describe_errors(errors: dict) -> str:
    """Table and sentence about ``BoundaryErrors.summary()``."""
    left_out = ", ".join(f"{count} {cause}" for cause, count in errors["left_out"].items())
    text = f"{errors['words']} words of {errors['utterances']} utterances against the reference"
    text += f"; left out: {left_out}.\n" if left_out else ".\n"
    if not errors["words"]:
        return text
    duration = errors["word_duration_ms"]
    header = ["absolute error (ms)", "mean", "median", "mean with its sign"]
    header += [f"within {ms} ms" for ms in TOLERANCES_MS]
    rows = []
    for edge in ("end", "start"):
        figures = errors[edge]
        times = [number(figures[f"{name}_ms"], 1) for name in ("mean", "median", "signed_mean")]
        shares = [number(100 * share, 1, " %") for share in figures["within"].values()]
        rows.append([f"word {edge}", *times, *shares])
    text += f"Mean word duration {duration['hypothesis']:.0f} ms, "
    text += f"of the reference {duration['reference']:.0f} ms.\n"
    return f"{text}\n{table(header, rows)}"


def _describe_set(report: dict) -> str:
    duration, score, cost = (report[k] or {} for k in ("word_duration", "word_score", "cost"))
    rows = {
        "utterances": str(report["utterances"]),
        "aligned": f"{report['aligned']} ({100 * report['coverage']:.1f} %)",
        "failed": str(sum(report["failed"].values())),
        "suspicious": str(report["suspicious_utterances"]),
        "retried": str(sum(report["retried"].values())),
        "words": str(report["words"]),
        "out of vocabulary": str(len(report["out_of_vocabulary"])),
        "words a second of speech": number(report["words_per_second_of_speech"], 2),
        "words a second of audio": number(report["words_per_second_of_audio"], 2),
        "word duration: mean, median, longest (s)": _join(duration, "mean", "median", "highest"),
        "word score: mean, median, lowest": _join(score, "mean", "median", "lowest"),
        "real-time factor": number(cost.get("real_time_factor"), 4),
    }
    return table(["", ""], list(rows.items()))


def _describe_causes(report: dict, name: str) -> str:
    examples = report[f"{name}_examples"]
    rows = [
        [cause, "; ".join(examples[cause]), str(count)] for cause, count in report[name].items()
    ]
    return table(["cause", "for example", "utterances"], rows, text_columns=2)


def _describe_speakers(speakers: dict[str, dict[str, int]]) -> str:
    """Those with utterances that were not aligned at once; empty if there are none."""
    shares = {
        name: (counts["aligned"] / counts["utterances"], -counts["retried"])
        for name, counts in speakers.items()
        if counts["aligned"] < counts["utterances"] or counts["retried"]
    }
    if not shares:
        return ""
    rows = []
    for name in sorted(shares, key=shares.__getitem__)[:MOST_SPEAKERS]:
        counts = speakers[name]
        aligned = f"{counts['aligned']} ({100 * shares[name][0]:.1f} %)"
        rows.append([name, str(counts["utterances"]), aligned, str(counts["retried"])])
    more = len(shares) - len(rows)
    text = table(["speaker", "utterances", "aligned", "of these retried"], rows)
    text += f"\nand {more} more\n" if more else ""
    others = len(speakers) - len(shares)
    return f"{text}\nAll utterances of {others} other speakers were aligned at once.\n"


def _describe_unknown(unknown: dict[str, str]) -> str:
    rows = list(unknown.items())[:MOST_UNKNOWN]
    more = len(unknown) - len(rows)
    return table(["word", "how"], rows, text_columns=2) + (f"\nand {more} more\n" if more else "")


def _join(figures: dict, *names: str) -> str:
    return ", ".join(number(figures.get(name), 3) for name in names)
