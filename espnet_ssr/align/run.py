"""Align the utterances of a data directory; failures are counted by cause and never fatal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import kaldiio
import numpy as np

from espnet_ssr.align.abs import AbsAligner, AlignError, AlignUtterance, Levels
from espnet_ssr.align.alignment import write_ctm
from espnet_ssr.batching import length_buckets
from espnet_ssr.datadir import read_audio, write_lines
from espnet_ssr.progress import Progress

FAILED = "failed"
OUT_OF_VOCABULARY = "out_of_vocabulary"
COST = "cost"
RETRIED = "retried"
ALIGNED = "aligned"
"""Outcome in ``retried``."""


def align_utterances(
    utt_ids: Sequence[str],
    folder: Path,
    final_folder: Path,
    progress: Progress,
    aligner: AbsAligner,
    signals: Mapping[str, str],
    texts: Mapping[str, str] | None,
    num_samples: Mapping[str, str],
    batch_seconds: float,
) -> None:
    """Write a shard: ``<level>.ctm``, ``failed`` (``utt cause message``), ``out_of_vocabulary``,
    ``cost`` (seconds of audio and of work) and, of an aligner that searches again where it found
    nothing, ``retried`` (``utt outcome``: ``aligned`` or the cause of failure).

    Args:
        signals: ``wav.scp`` or ``feats.scp``, whichever the aligner takes.
        texts: None: textless.
        num_samples: ``utt2num_samples``, for batches of like length.
        batch_seconds: padded audio a batch.
    """
    started = time.perf_counter()
    lengths = {u: int(num_samples[u]) for u in utt_ids}
    results: dict[str, Levels | AlignError] = {}
    for batch in length_buckets(lengths, int(batch_seconds * aligner.sample_rate)):
        utterances = []
        for utt_id in batch:
            try:
                signal = read_signal(aligner, utt_id, signals)
            except AlignError as error:
                results[utt_id] = error
            else:
                text = None if texts is None else texts[utt_id]
                utterances.append(AlignUtterance(utt_id, signal, text))
        if utterances:
            aligned_batch = aligner.align_batch(utterances)
            results.update(zip((u.utt_id for u in utterances), aligned_batch, strict=True))
        progress.update(len(batch))
    aligned = {u: results[u] for u in utt_ids if not isinstance(results[u], AlignError)}
    for level in aligner.levels:
        write_ctm(folder / f"{level}.ctm", (levels[level] for levels in aligned.values()))
    errors = ((u, results[u]) for u in utt_ids if u not in aligned)
    write_lines(folder / FAILED, (f"{u} {error.cause} {error}" for u, error in errors))
    unknown = getattr(aligner, "out_of_vocabulary", {})
    write_lines(folder / OUT_OF_VOCABULARY, (f"{w} {how}" for w, how in sorted(unknown.items())))
    if hasattr(aligner, "retried"):
        again = (u for u in utt_ids if u in aligner.retried)
        outcomes = (f"{u} {ALIGNED if u in aligned else results[u].cause}" for u in again)
        write_lines(folder / RETRIED, outcomes)
    seconds = sum(lengths.values()) / aligner.sample_rate
    write_lines(folder / COST, [f"{seconds:.3f} {time.perf_counter() - started:.6f}"])


def read_signal(aligner: AbsAligner, utt_id: str, signals: Mapping[str, str]) -> np.ndarray:
    """Samples or features; raises ``AlignError`` where there are none or they are no numbers."""
    if utt_id not in signals:
        raise AlignError("no_features", "it is in wav.scp, but has no features: extract them again")
    if aligner.input == "feats":
        signal = kaldiio.load_mat(signals[utt_id])
    else:
        signal = read_audio(signals[utt_id], aligner.sample_rate)
    if not np.isfinite(signal).all():
        raise AlignError("nan", f"{signals[utt_id]} has NaN or infinite values")
    return signal
