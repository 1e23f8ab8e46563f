"""What an aligner did with a data directory, in numbers and pictures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_ssr.align.alignment import LEVELS, read_ctm
from espnet_ssr.align.metrics import BoundaryErrors, Words, compare_words
from espnet_ssr.align.report_text import render_report
from espnet_ssr.align.run import ALIGNED, COST, FAILED, OUT_OF_VOCABULARY, RETRIED
from espnet_ssr.align.suspicious import (
    SUSPICIOUS,
    Suspect,
    find_suspicious,
    mean_scores,
    word_scores,
    write_suspicious,
)
from espnet_ssr.datadir import read_audio, read_keyed, write_keyed, write_lines
from espnet_ssr.plots import plot_alignment, plot_histogram
from espnet_ssr.shards import merge_shards

EXAMPLES = 3
"""Utterances that are named for each cause of failure or suspicion."""


@dataclass(frozen=True)
class AlignedSet:
    """An alignment folder and the data directory it is of.

    Attributes:
        words: alignments by utterance.
        failed: ``cause message`` of the utterances that have none.
        seconds: of audio, by utterance; empty where the data directory does not say.
        suspicious: utterances whose transcript may be wrong.
        reference: true words by utterance; empty where there is no reference.
        errors: against the reference; None where there is none.
        retried: outcome, ``aligned`` or a cause, of the utterances that were searched twice.
        speakers: by utterance; empty where the data directory does not say.
    """

    wav_scp: dict[str, str]
    words: Words
    failed: dict[str, str]
    seconds: dict[str, float]
    suspicious: dict[str, Suspect]
    reference: Words
    errors: BoundaryErrors | None
    retried: dict[str, str]
    speakers: dict[str, str]

    def summary(self) -> dict:
        """Counts of utterances, failed, suspicious and retried ones by cause and by speaker; words
        and their figures."""
        failures = [(u, *v.partition(" ")[::2]) for u, v in self.failed.items()]
        suspects = [(u, *cause) for u, s in self.suspicious.items() for cause in s.causes.items()]
        total = len(self.words) + len(self.failed)
        return {
            "utterances": total,
            "aligned": len(self.words),
            "coverage": len(self.words) / max(total, 1),
            **_by_cause("failed", failures),
            "suspicious_utterances": len(self.suspicious),
            **_by_cause("suspicious", suspects),
            **_by_cause("retried", ((u, outcome, "") for u, outcome in self.retried.items())),
            "speakers": self._count_speakers(),
            **describe_words(self.words, sum(self.seconds.get(u, 0.0) for u in self.words)),
            "boundary_errors": self.errors and self.errors.summary(),
        }

    def _count_speakers(self) -> dict[str, dict[str, int]]:
        """Counts by speaker; ``retried`` are those that were aligned so."""
        counts = defaultdict(lambda: {"utterances": 0, "aligned": 0, "retried": 0})
        for utt_id, speaker in self.speakers.items():
            counts[speaker]["utterances"] += 1
            counts[speaker]["aligned"] += utt_id in self.words
            counts[speaker]["retried"] += self.retried.get(utt_id) == ALIGNED
        return dict(counts)


def merge_jobs(folder: Path, num_jobs: int, align_dir: Path) -> None:
    """Merge the shards of an array of jobs into ``align_dir``, whichever levels they have.

    Raises:
        FileNotFoundError: a job did not finish.
    """
    indices = [folder / f"index.{job}" for job in range(1, num_jobs + 1)]
    shards = [name for index in indices if index.is_file() for name in index.read_text().split()]
    present = {file.name for name in shards[:1] for file in (folder / name).iterdir()}
    names = [*(f"{level}.ctm" for level in LEVELS), FAILED, OUT_OF_VOCABULARY, COST, RETRIED]
    merge_shards(folder, num_jobs, [name for name in names if name in present], align_dir)


def write_report(
    data_dir: Path,
    align_dir: Path,
    num_pictures: int = 3,
    reference: Path | None = None,
    sample_rate: int = 16000,
) -> dict:
    """Write ``report.json``, ``report.md``, ``suspicious`` and pictures into ``align_dir``.

    Args:
        num_pictures: of typical utterances, and as many of the worst.
        reference: CTM of the true words, to measure boundary errors against.

    Returns:
        What ``report.json`` holds.
    """
    aligned = read_aligned_set(data_dir, align_dir, reference, sample_rate)
    write_suspicious(align_dir / SUSPICIOUS, aligned.suspicious)
    unknown = (align_dir / OUT_OF_VOCABULARY).read_text(encoding="utf-8").splitlines()
    report = {
        **aligned.summary(),
        "cost": _read_cost(align_dir / COST),
        "out_of_vocabulary": dict(line.split(" ", 1) for line in unknown),
    }
    pictures = {"Distributions": _plot_distributions(align_dir, aligned.words)}
    for heading, utt_ids in (
        ("Typical utterances", pick_typical(aligned.words, num_pictures)),
        ("Worst utterances", pick_worst(aligned, num_pictures)),
    ):
        pictures[heading] = [_draw(align_dir, aligned, u, sample_rate) for u in utt_ids]
    write_lines(align_dir / "report.json", [json.dumps(report, indent=1, ensure_ascii=False)])
    text = render_report(f"Alignment: {align_dir}", report, pictures)
    write_lines(align_dir / "report.md", text.splitlines())
    return report


def read_aligned_set(
    data_dir: Path, align_dir: Path, reference: Path | None = None, sample_rate: int = 16000
) -> AlignedSet:
    """Read an alignment folder and judge it.

    Raises:
        ValueError: the reference has none of the utterances.
    """
    wav_scp = read_keyed(data_dir / "wav.scp")
    words = read_ctm(align_dir / "word.ctm")
    failed = _complete_failed(align_dir / FAILED, [u for u in wav_scp if u not in words])
    counts = _read_if_there(data_dir / "utt2num_samples")
    seconds = {utt_id: int(count) / sample_rate for utt_id, count in counts.items()}
    suspicious = find_suspicious(words, seconds)
    true_words = read_reference(reference, wav_scp) if reference else {}
    errors = compare_words(words, true_words) if reference else None
    return AlignedSet(
        wav_scp,
        words,
        failed,
        seconds,
        suspicious,
        true_words,
        errors,
        retried=_read_if_there(align_dir / RETRIED),
        speakers=_read_if_there(data_dir / "utt2spk"),
    )


def read_reference(path: Path, utt_ids: Iterable[str]) -> Words:
    """True words of some utterances.

    Raises:
        ValueError: it has none of them.
    """
    known = read_ctm(path)
    found = {utt_id: known[utt_id] for utt_id in utt_ids if utt_id in known}
    if not found:
        raise ValueError(
            f"{path}: it is no reference for this set: none of its utterances is in it"
        )
    return found


def _read_if_there(path: Path) -> dict[str, str]:
    return read_keyed(path) if path.is_file() else {}


def _complete_failed(path: Path, not_aligned: list[str]) -> dict[str, str]:
    """Read ``failed``, with those in it that have neither words nor a cause: nothing is lost
    silently."""
    failed = read_keyed(path)
    if lost := [utt_id for utt_id in not_aligned if utt_id not in failed]:
        failed |= dict.fromkeys(lost, "no_words the aligner gave it no words and no cause")
        write_keyed(path, failed)
    return failed


def describe_words(words: Words, audio_seconds: float) -> dict:
    """Figures of all words; rates are None where they would be divided by nothing."""
    spans = [span for alignment in words.values() for span in alignment.spans]
    durations = np.array([span.end - span.start for span in spans])
    scores = [score for alignment in words.values() for score in word_scores(alignment)]
    spoken = durations.sum()
    return {
        "words": len(spans),
        "words_per_second_of_speech": float(len(spans) / spoken) if spoken else None,
        "words_per_second_of_audio": len(spans) / audio_seconds if audio_seconds else None,
        "word_duration": _spread(durations),
        "word_score": _spread(scores),
    }


def pick_typical(words: Words, number: int) -> list[str]:
    """Utterances of 4 to 12 words, spread evenly over the set: pictures that can be read."""
    readable = [utt_id for utt_id, a in words.items() if 4 <= len(a.spans) <= 12] or list(words)
    index = np.linspace(0, len(readable) - 1, num=min(number, len(readable)))
    return [readable[round(i)] for i in index]


def pick_worst(aligned: AlignedSet, number: int) -> list[str]:
    """Utterances furthest from the reference, without one those of the lowest mean score."""
    if aligned.errors is None:
        scores = mean_scores(aligned.words)
        return sorted(scores, key=scores.__getitem__)[:number]
    error = aligned.errors.by_utterance()
    return sorted(error, key=error.__getitem__, reverse=True)[:number]


def _by_cause(name: str, entries: Iterable[tuple[str, str, str]]) -> dict:
    """Counts and examples of ``(utt_id, cause, details)``, by cause."""
    lines = defaultdict(list)
    for utt_id, cause, details in entries:
        lines[cause].append(f"{utt_id}: {details}" if details else utt_id)
    return {
        name: {cause: len(found) for cause, found in lines.items()},
        f"{name}_examples": {cause: found[:EXAMPLES] for cause, found in lines.items()},
    }


def _spread(values: Iterable[float]) -> dict | None:
    values = np.array(values)
    if len(values) == 0:
        return None
    figures = {"mean": values.mean(), "median": np.median(values)}
    figures |= {"lowest": values.min(), "highest": values.max()}
    return {name: float(figure) for name, figure in figures.items()}


def _read_cost(path: Path) -> dict | None:
    """Sums of the ``audio_seconds work_seconds`` lines; None if the aligner wrote none."""
    if not path.is_file():
        return None
    lines = [line.split() for line in path.read_text().splitlines()]
    audio, work = (sum(float(line[i]) for line in lines) for i in range(2))
    factor = work / audio if audio else None
    return {"audio_seconds": audio, "work_seconds": work, "real_time_factor": factor}


def _plot_distributions(align_dir: Path, words: Words) -> list[str]:
    """Histograms of word durations and, if there are any, scores; names of the pictures."""
    durations = [span.end - span.start for a in words.values() for span in a.spans]
    scores = [score for a in words.values() for score in word_scores(a)]
    plot_histogram(align_dir / "word_duration.png", durations, "word duration (s)")
    if not scores:
        return ["word_duration.png"]
    plot_histogram(align_dir / "score.png", scores, "word score")
    return ["word_duration.png", "score.png"]


def _draw(align_dir: Path, aligned: AlignedSet, utt_id: str, sample_rate: int) -> str:
    """Draw an utterance beside its reference; name of the picture."""
    name = f"{utt_id.replace('/', '_')}.png"
    speech = read_audio(aligned.wav_scp[utt_id], sample_rate)
    spans = aligned.words[utt_id].spans
    true = aligned.reference[utt_id].spans if utt_id in aligned.reference else ()
    plot_alignment(align_dir / name, speech, sample_rate, spans, utt_id, true)
    return name
