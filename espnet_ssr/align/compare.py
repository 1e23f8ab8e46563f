"""Several aligners on the same sets, beside each other."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_ssr.align.alignment import read_ctm
from espnet_ssr.align.metrics import BoundaryErrors, Words, compare_words
from espnet_ssr.datadir import write_lines
from espnet_ssr.environment import describe_environment
from espnet_ssr.markdown import describe_run, number, table
from espnet_ssr.plots import plot_error_curves

REFERENCE = "data/{set}/word.ctm"
"""Where stage 1 leaves the true words of a set, if they are known."""

COLUMNS = (
    "aligner", "coverage", "failed", "suspicious", "end: mean (ms)", "median", "signed mean",
    "unbiased mean", "within 25 ms", "within 50 ms", "start: mean (ms)", "median", "WDUR (ms)",
    "real-time factor",
)  # fmt: skip

END_FIGURES = ("mean", "median", "signed_mean", "unbiased_mean")

EXPLANATION = """\
- **end**, **start**: absolute error of word ends and of word starts, every word weighing the same,
  over the utterances that the reference and all of these aligners have; *signed mean*: positive
  where the aligner is late; *unbiased mean*: after the errors' own median is taken off, so what a
  constant shift cannot mend; *within*: share of the word ends.
- **WDUR**: mean word duration.
- **suspicious**: aligned, but the transcript may be wrong, by score, duration or speaking rate.
- **real-time factor**: seconds of work of one job for a second of audio; features that were there
  before are not in it.

`doc/alignment.md` has the protocol.
"""


@dataclass(frozen=True)
class ComparedSet:
    """A data directory with alignment folders, and the CTM of its true words."""

    data_dir: Path
    reference: Path | None


@dataclass(frozen=True)
class Row:
    """One aligner on one set or several pooled.

    Attributes:
        reports: the sets' ``report.json``.
        errors: of the utterances, ``<set>/<utt>``, that have a reference.
    """

    reports: list[dict]
    errors: BoundaryErrors

    def summary(self) -> dict:
        """The figures of the table and more."""
        total, aligned = (sum(r[key] for r in self.reports) for key in ("utterances", "aligned"))
        costs = [r["cost"] for r in self.reports if r["cost"]]
        audio, work = (sum(c[f"{kind}_seconds"] for c in costs) for kind in ("audio", "work"))
        return {
            "utterances": total,
            "coverage": aligned / max(total, 1),
            "failed": total - aligned,
            "suspicious": sum(r["suspicious_utterances"] for r in self.reports),
            "real_time_factor": work / audio if audio else None,
            "boundary_errors": self.errors.summary(),
        }


@dataclass(frozen=True)
class Comparison:
    """The rows of one table, by aligner, with errors over the same utterances."""

    title: str
    sets: Sequence[ComparedSet]
    rows: dict[str, Row]


def find_sets(data_dirs: Sequence[Path], pattern: str | None = None) -> list[ComparedSet]:
    """Data directories with their references.

    Args:
        pattern: a CTM file, or a folder with ``word.ctm`` in it; ``{set}`` stands for the name of
            the data directory. None: ``REFERENCE``, for the sets that have it.

    Raises:
        FileNotFoundError: a reference that was asked for is not there.
    """
    found = []
    for data_dir in data_dirs:
        path = Path((pattern or REFERENCE).replace("{set}", data_dir.name))
        path = path / "word.ctm" if path.is_dir() else path
        if pattern and not path.is_file():
            raise FileNotFoundError(f"no reference {path} for {data_dir}")
        found.append(ComparedSet(data_dir, path if path.is_file() else None))
    return found


def compare_sets(title: str, sets: Sequence[ComparedSet], aligners: Sequence[str]) -> Comparison:
    """Compare aligners on sets, pooled.

    Errors are of the utterances that every one of the aligners has: one that fails on the difficult
    ones must not look the better for it.

    Raises:
        FileNotFoundError: an aligner was not run on a set, or has no report there.
    """
    reference = _pool({s: read_ctm(s.reference) for s in sets if s.reference})
    rows = {name: _read_row(f"align_{name}", sets, reference) for name in aligners}
    common = sorted(set.intersection(*(set(row.errors.times) for row in rows.values())))
    rows = {n: Row(row.reports, row.errors.restrict(common)) for n, row in rows.items()}
    return Comparison(title, sets, rows)


def _read_row(folder: str, sets: Sequence[ComparedSet], reference: Words) -> Row:
    reports = []
    for data_dir in (s.data_dir for s in sets):
        file = data_dir / folder / "report.json"
        if not file.is_file():
            raise FileNotFoundError(f"no {file}: run stage 4 (ssr_align_report) for {data_dir}")
        report = json.loads(file.read_text(encoding="utf-8"))
        if not report.keys() >= {"aligned", "suspicious_utterances", "cost"}:
            raise ValueError(f"{file} is of another version: run stage 4 again (--stage 4)")
        reports.append(report)
    words = _pool({s: read_ctm(s.data_dir / folder / "word.ctm") for s in sets})
    return Row(reports, compare_words(words, reference))


def _pool(words: dict[ComparedSet, Words]) -> Words:
    """Utterances of several sets under ``<set>/<utt>``: names may occur in two sets."""
    return {f"{s.data_dir}/{u}": a for s, found in words.items() for u, a in found.items()}


def write_comparisons(
    comparisons: Sequence[Comparison], output: Path, title: str, command: str
) -> None:
    """Write ``output`` (Markdown), the same figures beside it in JSON, and a picture a table into
    ``images/``."""
    output.parent.mkdir(parents=True, exist_ok=True)
    sections = [f"# {title}\n", describe_run(command)]
    for comparison in comparisons:
        sections += [f"## {comparison.title}\n", _describe(comparison), _table(comparison)]
        sections += _plot(comparison, output.parent)
    sections.append(EXPLANATION)
    write_lines(output, "\n".join(sections).splitlines())
    figures = {c.title: {n: row.summary() for n, row in c.rows.items()} for c in comparisons}
    record = {"command": command, "environment": describe_environment(), "tables": figures}
    write_lines(output.with_suffix(".json"), [json.dumps(record, indent=1)])


def _plot(comparison: Comparison, folder: Path) -> list[str]:
    """Draw the errors of word ends; a link to the picture, none without errors."""
    ends = {name: row.errors.signed()[:, 1] for name, row in comparison.rows.items()}
    if not any(len(errors) for errors in ends.values()):
        return []
    picture = f"images/{re.sub(r'[^A-Za-z0-9.-]+', '_', comparison.title)}.png"
    title = f"{comparison.title}: word ends"
    plot_error_curves(folder / picture, {n: np.abs(errors) for n, errors in ends.items()}, title)
    return [f"![{title}]({picture})\n"]


def _describe(comparison: Comparison) -> str:
    """What the errors are over and against."""
    errors = next(iter(comparison.rows.values())).errors.summary()
    if not errors["words"]:
        return "No errors: no utterance has a reference and is aligned by all.\n"
    references = ", ".join(f"`{s.reference}`" for s in comparison.sets if s.reference)
    return (
        f"Errors over {errors['words']} words of {errors['utterances']} utterances, against "
        f"{references} (mean word duration {errors['word_duration_ms']['reference']:.0f} ms).\n"
    )


def _table(comparison: Comparison) -> str:
    rows = [[name, *_cells(row.summary())] for name, row in comparison.rows.items()]
    return table(COLUMNS, rows)


def _cells(summary: dict) -> list[str]:
    errors = summary["boundary_errors"]
    end, start = (errors[edge] or {} for edge in ("end", "start"))
    durations = errors["word_duration_ms"] or {}
    within = end.get("within", {})
    return [
        f"{100 * summary['coverage']:.1f} %",
        str(summary["failed"]),
        str(summary["suspicious"]),
        *(number(end.get(f"{name}_ms"), 1) for name in END_FIGURES),
        *(_percent(within.get(ms)) for ms in ("25", "50")),
        *(number(start.get(f"{name}_ms"), 1) for name in ("mean", "median")),
        number(durations.get("hypothesis")),
        number(summary["real_time_factor"], 4),
    ]


def _percent(share: float | None) -> str:
    return number(None if share is None else 100 * share, 1, " %")
