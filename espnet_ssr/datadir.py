"""Kaldi data directories: keyed files, whole directories, audio."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile


def read_keyed(path: str | os.PathLike, keys: Container[str] | None = None) -> dict[str, str]:
    """Read ``key value...`` lines in order; a key without a value has the value ``""``.

    Args:
        keys: only these are kept, for jobs that share out a long file; None: all.

    Raises:
        ValueError: names the file and line of bad UTF-8, an empty line or a duplicate key.
    """
    entries: dict[str, str] = {}
    with open(path, "rb") as f:
        for number, raw in enumerate(f, 1):
            try:
                line = raw.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise ValueError(f"{path}:{number}: not UTF-8 ({error.reason})") from None
            key, _, value = line.partition(" ")
            if not key:
                raise ValueError(f"{path}:{number}: empty line")
            if key in entries:
                raise ValueError(f"{path}:{number}: duplicate key {key}")
            if keys is None or key in keys:
                entries[key] = value.strip()
    return entries


def write_keyed(path: str | os.PathLike, entries: dict[str, str]) -> None:
    """Write ``key value`` lines, whole or not at all."""
    write_lines(path, (f"{key} {value}".rstrip() for key, value in entries.items()))


def write_lines(path: str | os.PathLike, lines: Iterable[str]) -> None:
    """Write a text file, whole or not at all."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as f:
            f.writelines(f"{line}\n" for line in lines)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def count_dropped(reasons: Iterable[str]) -> str:
    """What was left out, for people: ``left out 3: 1 bad_line, 2 no_audio``.

    Args:
        reasons: one for each thing that was left out, each beginning with its cause, a word: the
            values of a file ``dropped``.
    """
    causes = Counter(reason.split(maxsplit=1)[0] for reason in reasons)
    counts = ", ".join(f"{number} {cause}" for cause, number in sorted(causes.items()))
    return f"left out {causes.total()}" + (f": {counts}" if counts else "")


class Utterance(NamedTuple):
    """One utterance: absolute path of its audio, normalised text, speaker, duration (s)."""

    wav: str
    text: str
    speaker: str
    seconds: float


@contextlib.contextmanager
def replaced_dir(path: Path) -> Iterator[Path]:
    """Give a new folder to fill, which becomes ``path`` at the end, unless there was an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp.{os.getpid()}")
    old = path.with_name(f".{path.name}.old.{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
        # A folder cannot be renamed onto a full one. The old one is renamed first, not deleted,
        # so that what is at ``path`` is always whole.
        if path.exists():
            path.rename(old)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def invert_utt2spk(utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the sorted utterance ids of each speaker, speakers sorted too."""
    spk2utt: dict[str, list[str]] = {}
    for utt_id, speaker in sorted(utt2spk.items(), key=lambda item: item[::-1]):
        spk2utt.setdefault(speaker, []).append(utt_id)
    return spk2utt


def write_data_dir(path: Path, utterances: Mapping[str, Utterance]) -> None:
    """Write ``wav.scp text utt2spk spk2utt`` of ``utterances`` (by id), replacing ``path``.

    Files are in the order of the bytes of their keys (``LC_ALL=C``, which is that of Python's
    strings), as Kaldi tools expect.
    """
    utt2spk = {utt_id: utterance.speaker for utt_id, utterance in utterances.items()}
    tables = {
        "wav.scp": {utt_id: utterance.wav for utt_id, utterance in utterances.items()},
        "text": {utt_id: utterance.text for utt_id, utterance in utterances.items()},
        "utt2spk": utt2spk,
        "spk2utt": {speaker: " ".join(ids) for speaker, ids in invert_utt2spk(utt2spk).items()},
    }
    with replaced_dir(path) as folder:
        for name, table in tables.items():
            write_lines(folder / name, (f"{key} {value}" for key, value in sorted(table.items())))


def combine_data_dirs(sources: Iterable[Path], path: Path) -> int:
    """Make one data directory of several; returns the number of utterances.

    Raises:
        ValueError: an utterance or recording is in two of them, only some have ``segments``, or one
            has copies at other speeds.
    """
    sources = list(sources)
    for source in sources:
        if (source / "utt2speed").exists():
            raise ValueError(f"{source} has copies at other speeds: combine sets before stage 2")
    names = ["wav.scp", "text", "utt2spk"]
    with_segments = [source for source in sources if (source / "segments").exists()]
    if with_segments and len(with_segments) < len(sources):
        raise ValueError(f"{with_segments[0]} has segments, others have none")
    tables: dict[str, dict[str, str]] = {}
    for name in names + ["segments"] * bool(with_segments):
        tables[name] = {}
        for source in sources:
            entries = read_keyed(source / name)
            if both := sorted(tables[name].keys() & entries.keys()):
                raise ValueError(f"{source / name}: {both[0]} is in another set, too")
            tables[name].update(entries)
    speakers = invert_utt2spk(tables["utt2spk"])
    tables["spk2utt"] = {speaker: " ".join(ids) for speaker, ids in speakers.items()}
    with replaced_dir(path) as folder:
        for name, table in tables.items():
            write_keyed(folder / name, dict(sorted(table.items())))
    return len(tables["text"])


def read_audio(path: str, sample_rate: int) -> np.ndarray:
    """Read mono audio ``(N,)``, float32.

    Raises:
        ValueError: another rate, or several channels: stage 3 was left out.
    """
    samples, rate = soundfile.read(path, dtype="float32")
    if rate != sample_rate or samples.ndim != 1:
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        raise ValueError(
            f"{path}: {rate} Hz with {channels} channel(s), expected {sample_rate} Hz mono: "
            "run stage 3"
        )
    return samples
