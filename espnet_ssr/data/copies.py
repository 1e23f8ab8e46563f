"""Stage 2: training sets with altered copies of utterances (``speed.py``, ``augment.py``).

Only tables are written here. A copy's audio is the original's, altered when stage 3 reads it. At
speed s it lasts 1/s of its original; nothing else moves in time. So its alignment is the
original's, with times divided by s: aligning it anew would cost as much again, and bring errors of
its own, more of them in noise.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.align.alignment import LEVELS, Alignment, Span, read_ctm, write_ctm
from espnet_ssr.align.run import FAILED, OUT_OF_VOCABULARY, RETRIED
from espnet_ssr.data.augment_effects import Effect, dump_effects, load_effects
from espnet_ssr.datadir import invert_utt2spk, read_keyed, replaced_dir, write_keyed, write_lines

UTT2UNIQ, UTT2SPEED, UTT2EFFECTS = "utt2uniq", "utt2speed", "utt2effects"
"""Tables of a set with copies: original, speed, and what else is done to the audio of each
utterance. An original is its own, at speed 1."""


class Copy(NamedTuple):
    """An utterance of a set with copies: whose audio it has, played how many times as fast, and
    what is done to that."""

    original: str
    speed: float = 1.0
    effects: tuple[Effect, ...] = ()


def write_copies(source: Path, path: Path, named: Iterable[tuple[str, Copy]]) -> int:
    """Write ``path``: a data directory of these utterances, each a copy of one of ``source``;
    returns how many there are.

    The name of a copy is its original's with a prefix or none, and so is its speaker's. Copies name
    the audio of their originals, and ``segments`` has times in that audio.

    Args:
        named: utterance ids with what they are copies of; an original is its own.

    Raises:
        ValueError: ``source`` has copies itself, or a table of it lacks an utterance.
    """
    if (source / UTT2SPEED).exists():
        raise ValueError(f"{source} has copies already (it has {UTT2SPEED}): give the original")
    pairs = sorted(named)
    copies = dict(pairs)
    if len(copies) < len(pairs):
        raise ValueError(f"{source} has copies of these names already: give the original set")
    with replaced_dir(path) as folder:
        for name, table in _copy_tables(source, copies):
            write_keyed(folder / name, table)
        # True times, where they are known.
        for level, alignments in _read_levels(source).items():
            write_ctm(folder / f"{level}.ctm", rescale(alignments, copies))
    return len(copies)


def parse_speed(value: str, where: str) -> float:
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
    effects = {utt_id: dump_effects(c.effects) for utt_id, c in copies.items() if c.effects}
    if effects:
        yield UTT2EFFECTS, effects
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
    return {utt_id: parse_speed(table[utt_id], f"{path}: {utt_id}") for utt_id in utt_ids}


def read_effects(data_dir: Path, utt_ids: Iterable[str]) -> dict[str, tuple[Effect, ...]]:
    """What is done to the audio of those utterances that ``utt2effects``, if it is there, names.

    Raises:
        ValueError: names the line that is damaged.
    """
    path = data_dir / UTT2EFFECTS
    if not path.is_file():
        return {}
    lines = read_keyed(path, set(utt_ids))
    return {utt_id: load_effects(line, f"{path}: {utt_id}") for utt_id, line in lines.items()}


def _read_levels(folder: Path) -> dict[str, dict[str, Alignment]]:
    """``<level>.ctm`` of the levels that are there."""
    files = {level: folder / f"{level}.ctm" for level in LEVELS}
    return {level: read_ctm(file, level) for level, file in files.items() if file.is_file()}


def rescale(alignments: Mapping[str, Alignment], copies: Mapping[str, Copy]) -> Iterator[Alignment]:
    """Alignments of the copies whose originals have one: times divided by the speed."""
    for utt_id, copy in copies.items():
        if copy.original in alignments:
            alignment = alignments[copy.original]
            spans = list(_divide_times(alignment.spans, copy.speed))
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
    """Write the alignment folder of a set with copies from that of the original set.

    What is not aligned goes to ``failed`` with the cause of its original. That is
    ``original_<cause>`` where stage 3 left out the original alone, for example as too long, and
    ``no_original`` where the original set does not know it.

    Args:
        data_dir, original_dir: the set with copies and the original one, formatted.
        original_align_dir: alignment folder of ``original_dir``.
        align_dir: folder to write ``<level>.ctm``, ``failed``, ``out_of_vocabulary`` and, if the
            originals have it, ``retried`` to.
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
    retried = align_dir / RETRIED
    if (original_align_dir / RETRIED).is_file():
        outcomes = read_keyed(original_align_dir / RETRIED)
        again = ((u, c.original) for u, c in copies.items() if c.original in outcomes)
        write_keyed(retried, {u: outcomes[original] for u, original in again})
    else:
        retried.unlink(missing_ok=True)  # of a former run
    lost = {u: c.original for u, c in copies.items() if c.original not in alignments["word"]}
    causes = _read_causes(original_dir, original_align_dir)
    unknown = f"no_original it is not in {original_dir}: run stages 3 and 4 again"
    write_lines(align_dir / FAILED, (f"{u} {causes.get(o, unknown)}" for u, o in lost.items()))


def _read_causes(original_dir: Path, original_align_dir: Path) -> dict[str, str]:
    """``cause message`` of the utterances that stage 3 left out or that failed to align."""
    dropped = read_keyed(original_dir / "dropped")
    failed = read_keyed(original_align_dir / FAILED)
    return {**{utt_id: f"original_{reason}" for utt_id, reason in dropped.items()}, **failed}
