"""What an aligner did with a data directory, in numbers and pictures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from espnet_ssr.align.alignment import Alignment, read_ctm
from espnet_ssr.align.run import FAILED, OUT_OF_VOCABULARY
from espnet_ssr.datadir import read_audio, read_keyed, write_lines
from espnet_ssr.plots import plot_alignment, plot_histogram


def write_report(
    data_dir: Path, align_dir: Path, num_pictures: int = 3, sample_rate: int = 16000
) -> dict:
    """Write ``report.json`` and pictures into ``align_dir``; return the report."""
    words = read_ctm(align_dir / "word.ctm")
    failed = read_keyed(align_dir / FAILED)
    report = summarize(words, failed, (align_dir / OUT_OF_VOCABULARY).read_text().splitlines())
    write_lines(align_dir / "report.json", [json.dumps(report, indent=1)])
    durations = [s.end - s.start for a in words.values() for s in a.spans]
    plot_histogram(align_dir / "word_duration.png", durations, "word duration (s)")
    wav_scp = read_keyed(data_dir / "wav.scp")
    for utt_id in pick_typical(words, num_pictures):
        speech = read_audio(wav_scp[utt_id], sample_rate)
        picture = align_dir / f"{utt_id.replace('/', '_')}.png"
        plot_alignment(picture, speech, sample_rate, words[utt_id].spans, utt_id)
    return report


def summarize(words: dict[str, Alignment], failed: dict[str, str], unknown: list[str]) -> dict:
    """Counts of utterances, failures by cause (with examples) and words."""
    spans = [span for alignment in words.values() for span in alignment.spans]
    spoken = sum(span.end - span.start for span in spans)
    causes = Counter(value.split()[0] for value in failed.values())
    return {
        "utterances": len(words) + len(failed),
        "aligned": len(words),
        "coverage": len(words) / max(len(words) + len(failed), 1),
        "failed": dict(causes),
        "failed_examples": dict(list(failed.items())[:10]),
        "words": len(spans),
        "words_per_second_of_speech": len(spans) / max(spoken, 1e-9),
        "out_of_vocabulary": dict(line.split(" ", 1) for line in unknown),
    }


def pick_typical(words: dict[str, Alignment], number: int) -> list[str]:
    """Utterances of 4 to 12 words, spread evenly over the set: pictures that can be read."""
    readable = [utt_id for utt_id, a in words.items() if 4 <= len(a.spans) <= 12] or list(words)
    index = np.linspace(0, len(readable) - 1, num=min(number, len(readable)))
    return [readable[round(i)] for i in index]
