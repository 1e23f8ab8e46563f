"""Stage 2: speed perturbation (Ko et al., "Audio augmentation for speech recognition", Interspeech
2015, https://doi.org/10.21437/Interspeech.2015-711).

A copy at speed s lasts 1/s of its original, and all in it is higher by the factor s. Its audio is
the original's, resampled when stage 3 reads it. Its alignment is the original's, with times divided
by s: aligning it anew would cost as much again and bring errors of its own.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.align.alignment import LEVELS, Alignment, Span, read_ctm, write_ctm
from espnet_ssr.align.run import FAILED, OUT_OF_VOCABULARY
from espnet_ssr.datadir import invert_utt2spk, read_keyed, replaced_dir, write_keyed, write_lines

UTT2UNIQ, UTT2SPEED = "utt2uniq", "utt2speed"
"""Tables of a perturbed set: original and speed of each utterance; an original is its own, at 1."""


class Copy(NamedTuple):
    """An utterance of a perturbed set: whose audio it has, played how many times as fast."""

    original: str
    speed: float


def perturb_data_dir(source: Path, path: Path, factors: Iterable[str]) -> int:
    """Write ``path``: the utterances of ``source`` and a copy of each at each factor.

    Copies are called ``sp<factor>-<utterance>``, of speaker ``sp<factor>-<speaker>``, as Kaldi's
    are. They name the audio of their originals, and ``segments`` has times in that audio.

    Args:
        factors: speeds as they are to be written in the names of the copies, "0.9". "1.0" stands
            for the originals, which are there in any case.

    Returns:
        The number of utterances, copies and originals.

    Raises:
        ValueError: a factor is no positive number or comes twice; ``source`` is perturbed already.
    """
    speeds = {"": 1.0, **{f"sp{name}-": speed for name, speed in parse_factors(factors).items()}}
    utt_ids = read_keyed(source / "text")
    if (source / UTT2SPEED).exists():
        raise ValueError(f"{source} is perturbed already (it has {UTT2SPEED}): give the original")
    copies = {f"{prefix}{u}": Copy(u, speed) for prefix, speed in speeds.items() for u in utt_ids}
    if len(copies) < len(speeds) * len(utt_ids):
        raise ValueError(f"{source} has copies of these names already: give the original set")
    copies = dict(sorted(copies.items()))
    with replaced_dir(path) as folder:
        for name, table in _copy_tables(source, copies):
            write_keyed(folder / name, table)
        # True times, where they are known.
        for level, alignments in _read_levels(source).items():
            write_ctm(folder / f"{level}.ctm", rescale(alignments, copies))
    return len(copies)


def parse_factors(factors: Iterable[str]) -> dict[str, float]:
    """``["0.9", "1.0"]`` -> ``{"0.9": 0.9}``: speeds other than the original's, by name.

    Raises:
        ValueError: not a positive number, or there twice.
    """
    speeds: dict[str, float] = {}
    for factor in factors:
        speed = _parse_speed(factor, "speed perturbation")
        if speed in speeds.values():
            raise ValueError(f"speed perturbation: the factor {factor} is there twice")
        if speed != 1:
            speeds[factor] = speed
    return speeds


def _parse_speed(value: str, where: str) -> float:
    try:
        speed = float(value)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise ValueError(f"{where}: a speed is a positive number such as 0.9, not {value!r}")
    return speed


def _copy_tables(source: Path, copies: Mapping[str, Copy]) -> Iterator[tuple[str, dict[str, str]]]:
    """The files of a data directory with these utterances, by name."""
    yield UTT2UNIQ, {utt_id: copy.original for utt_id, copy in copies.items()}
    yield UTT2SPEED, {utt_id: str(copy.speed) for utt_id, copy in copies.items()}
    originals = {copy.original for copy in copies.values()}
    if (source / "segments").is_file():
        names = ("text", "segments")
        yield "wav.scp", read_keyed(source / "wav.scp")  # of recordings, not of utterances
    else:
        names = ("text", "wav.scp")
    for name in names:
        table = _read_complete(source / name, originals)
        yield name, {utt_id: table[copy.original] for utt_id, copy in copies.items()}
    speakers = _read_complete(source / "utt2spk", originals)
    # The name of a copy is its original's with something before it.
    utt2spk = {u: u.removesuffix(c.original) + speakers[c.original] for u, c in copies.items()}
    yield "utt2spk", utt2spk
    yield "spk2utt", {s: " ".join(utts) for s, utts in invert_utt2spk(utt2spk).items()}


def _read_complete(path: Path, keys: Iterable[str]) -> dict[str, str]:
    """Read a table; ValueError if it lacks one of ``keys``."""
    table = read_keyed(path)
    if missing := sorted(set(keys) - table.keys()):
        raise ValueError(f"{path}: no line of {missing[0]}: run the stage that wrote it again")
    return table


def read_speeds(data_dir: Path, utt_ids: Iterable[str]) -> dict[str, float]:
    """Speed of each utterance: ``utt2speed``, or 1 in a set that has no such file.

    Raises:
        ValueError: there is no positive number for one of them.
    """
    path, utt_ids = data_dir / UTT2SPEED, list(utt_ids)
    if not path.is_file():
        return dict.fromkeys(utt_ids, 1.0)
    table = _read_complete(path, utt_ids)
    return {utt_id: _parse_speed(table[utt_id], f"{path}: {utt_id}") for utt_id in utt_ids}


def _read_levels(folder: Path) -> dict[str, dict[str, Alignment]]:
    """``<level>.ctm`` of the levels that are there."""
    files = {level: folder / f"{level}.ctm" for level in LEVELS}
    return {level: read_ctm(file, level) for level, file in files.items() if file.is_file()}


def rescale(alignments: Mapping[str, Alignment], copies: Mapping[str, Copy]) -> Iterator[Alignment]:
    """Alignments of the copies whose originals have one: times divided by the speed."""
    for utt_id, (original, speed) in copies.items():
        if original in alignments:
            alignment = alignments[original]
            spans = list(_divide_times(alignment.spans, speed))
            yield Alignment(utt_id, spans, alignment.level)


def _divide_times(spans: Iterable[Span], speed: float) -> Iterator[Span]:
    last_end = 0.0
    for span in spans:
        # Spans may overlap by the rounding of CTM files, which slow speech would make larger.
        start = max(span.start / speed, last_end)
        last_end = max(span.end / speed, start)
        yield Span(span.label, start, last_end, span.score)


def rescale_align_dir(
    data_dir: Path, original_dir: Path, original_align_dir: Path, align_dir: Path
) -> None:
    """Write the alignment folder of a perturbed set from that of the original set.

    What is not aligned goes to ``failed`` with the cause of its original. That is
    ``original_<cause>`` where stage 3 left out the original alone, for example as too long, and
    ``no_original`` where the original set does not know it.

    Args:
        data_dir, original_dir: the perturbed set and the original one, formatted.
        original_align_dir: alignment folder of ``original_dir``.
        align_dir: folder to write ``<level>.ctm``, ``failed`` and ``out_of_vocabulary`` to.
    """
    utt_ids = list(read_keyed(data_dir / "wav.scp"))
    originals = _read_complete(data_dir / UTT2UNIQ, utt_ids)
    speeds = read_speeds(data_dir, utt_ids)
    copies = {utt_id: Copy(originals[utt_id], speeds[utt_id]) for utt_id in utt_ids}
    alignments = _read_levels(original_align_dir)
    for level in LEVELS:
        path = align_dir / f"{level}.ctm"
        if level in alignments:
            write_ctm(path, rescale(alignments[level], copies))
        else:
            path.unlink(missing_ok=True)  # of a former run
    shutil.copyfile(original_align_dir / OUT_OF_VOCABULARY, align_dir / OUT_OF_VOCABULARY)
    lost = {u: c.original for u, c in copies.items() if c.original not in alignments["word"]}
    causes = _read_causes(original_dir, original_align_dir)
    unknown = f"no_original it is not in {original_dir}: run stages 3 and 4 again"
    write_lines(align_dir / FAILED, (f"{u} {causes.get(o, unknown)}" for u, o in lost.items()))


def _read_causes(original_dir: Path, original_align_dir: Path) -> dict[str, str]:
    """``cause message`` of the utterances that stage 3 left out or that failed to align."""
    dropped = read_keyed(original_dir / "dropped")
    failed = read_keyed(original_align_dir / FAILED)
    return {**{utt_id: f"original_{reason}" for utt_id, reason in dropped.items()}, **failed}
