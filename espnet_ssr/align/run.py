"""Align the utterances of a data directory; failures are counted by cause and never fatal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from espnet_ssr.align.abs import AbsAligner, AlignError
from espnet_ssr.align.alignment import Alignment, write_ctm
from espnet_ssr.datadir import read_audio, write_lines
from espnet_ssr.progress import Progress

FAILED = "failed"
OUT_OF_VOCABULARY = "out_of_vocabulary"


def align_utterances(
    utt_ids: Sequence[str],
    folder: Path,
    final_folder: Path,
    progress: Progress,
    aligner: AbsAligner,
    wav_scp: dict[str, str],
    texts: dict[str, str],
) -> None:
    """Write a shard: ``<level>.ctm``, ``failed`` (``utt cause message``), ``out_of_vocabulary``."""
    done: dict[str, list[Alignment]] = {level: [] for level in aligner.levels}
    failed = []
    for utt_id in utt_ids:
        try:
            speech = read_audio(wav_scp[utt_id], aligner.sample_rate)
            for level, alignment in aligner.align(utt_id, speech, texts[utt_id]).items():
                done[level].append(alignment)
        except AlignError as error:
            failed.append(f"{utt_id} {error.cause} {error}")
        progress.update()
    for level, alignments in done.items():
        write_ctm(folder / f"{level}.ctm", alignments)
    write_lines(folder / FAILED, failed)
    unknown = getattr(aligner, "out_of_vocabulary", {})
    write_lines(folder / OUT_OF_VOCABULARY, (f"{w} {how}" for w, how in sorted(unknown.items())))
