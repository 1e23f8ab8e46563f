"""Checking Kaldi data directories before anything costly reads them.

Every fault is named with its file, line, utterance and cure.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.data.check_audio import check_audio
from espnet_ssr.datadir import invert_utt2spk

TOLERANCE_SECONDS = 0.01  # times are often rounded to hundredths


class Problem(NamedTuple):
    """One fault: where (`line` 0: the file as a whole), of which utterance, what, and its cure.

    `utt_id` is the key of the line: the recording's for ``wav.scp`` where there are segments, ""
    where there is none.
    """

    path: Path
    line: int
    utt_id: str
    cause: str
    message: str
    fix: str

    def __str__(self) -> str:
        """Return the one line that people read."""
        where = f"{self.path}:{self.line}" if self.line else f"{self.path}"
        key = f" {self.utt_id}:" if self.utt_id else ""
        return f"{where}:{key} {self.message} [{self.cause}] -> {self.fix}"


class Row(NamedTuple):
    """Line number and value of a key in a table."""

    line: int
    value: str


Table = dict[str, Row]


class Segment(NamedTuple):
    """A part of a recording, in seconds."""

    recording: str
    start: float
    end: float


class Inspection(NamedTuple):
    """What `inspect_data_dir` found: faults, tables by name, seconds by utterance (if known)."""

    problems: list[Problem]
    tables: dict[str, Table]
    durations: dict[str, float]


def read_table(path: Path, problems: list[Problem]) -> Table:
    """Read a file of ``key value`` lines; its faults are added to `problems`."""
    table: Table = {}
    if not path.is_file():
        problems.append(Problem(path, 0, "", "missing_table", "no such file", "create it"))
        return table
    *lines, rest = path.read_bytes().split(b"\n")
    if not lines and not rest:
        problems.append(Problem(path, 0, "", "missing_table", "empty file", "fill it"))
    if rest:
        lines.append(rest)
        fix = "add a newline"
        problems.append(Problem(path, len(lines), "", "odd_whitespace", "line without end", fix))
    previous = ""
    is_sorted = True
    for number, raw in enumerate(lines, 1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"not UTF-8 at byte {error.start + 1} of the line"
            problems.append(Problem(path, number, "", "bad_utf8", message, "convert with iconv"))
            continue
        key, value = (*line.split(maxsplit=1), "", "")[:2]
        if not key:
            problems.append(Problem(path, number, "", "bad_line", "empty line", "remove it"))
            continue
        # "key " is how Kaldi writes an empty value.
        if "\ufeff" in line or " ".join(line.split()) != (
            line if value else line.removesuffix(" ")
        ):
            message = f"leading, trailing, double or other odd whitespace: {line!r}"
            fix = "put single spaces between words, and none elsewhere"
            problems.append(Problem(path, number, key, "odd_whitespace", message, fix))
        if key in table:
            message, fix = f"key also in line {table[key].line}", "remove or rename one"
            problems.append(Problem(path, number, key, "duplicate_key", message, fix))
        elif key < previous and is_sorted:
            # One line is enough: in an unsorted file nearly all of them would be.
            is_sorted = False
            message, fix = f"follows {previous}", f"LC_ALL=C sort -o {path} {path}"
            problems.append(Problem(path, number, key, "unsorted", message, fix))
        table.setdefault(key, Row(number, value.rstrip()))
        previous = key
    return table


def check_keys(path: Path, tables: Mapping[str, Table], problems: list[Problem]) -> None:
    """Check that tables by utterance (name: table) have the same keys."""
    for utt_id in sorted(set().union(*tables.values())):
        absent = [name for name, table in tables.items() if utt_id not in table]
        present = " and ".join(name for name in tables if name not in absent)
        for name in absent:
            fix = "add it, or remove the utterance"
            message = f"no line of this key, which {present} has"
            problems.append(Problem(path / name, 0, utt_id, "key_mismatch", message, fix))


def check_speakers(path: Path, utt2spk: Table, spk2utt: Table, problems: list[Problem]) -> None:
    """Check that ``spk2utt`` (at `path`) is the inverse of ``utt2spk``."""
    wanted = invert_utt2spk({utt_id: row.value for utt_id, row in utt2spk.items()})
    for speaker in sorted(wanted.keys() | spk2utt.keys()):
        row = spk2utt.get(speaker, Row(0, ""))
        if sorted(row.value.split()) != wanted.get(speaker, []):
            message = "utterances differ from those of utt2spk"
            fix = "write it anew from utt2spk"
            problems.append(Problem(path, row.line, speaker, "speakers_differ", message, fix))


def read_segments(
    path: Path, table: Table, recordings: Table, problems: list[Problem]
) -> dict[str, Segment]:
    """Return the usable segments of ``segments`` (at `path`) by utterance."""
    segments = {}
    for utt_id, row in table.items():
        try:
            recording, start, end = row.value.split()
            segment = Segment(recording, float(start), float(end))
        except ValueError:
            message, fix = f"not 'recording start end': {row.value!r}", "correct the line"
            problems.append(Problem(path, row.line, utt_id, "bad_segment", message, fix))
            continue
        if recording not in recordings:
            message, fix = f"recording {recording} is not in wav.scp", "add it to wav.scp"
            problems.append(Problem(path, row.line, utt_id, "no_recording", message, fix))
        elif not 0 <= segment.start < segment.end:
            message, fix = f"start {start} s, end {end} s", "make 0 <= start < end"
            problems.append(Problem(path, row.line, utt_id, "bad_segment", message, fix))
        else:
            segments[utt_id] = segment
    return segments


def check_recordings(
    path: Path, table: Table, fs: int, num_jobs: int, problems: list[Problem]
) -> dict[str, float]:
    """Return the seconds of each recording of ``wav.scp`` (at `path`), in `num_jobs` threads."""
    with ThreadPoolExecutor(num_jobs) as pool:
        results = pool.map(lambda row: check_audio(Path(row.value), fs), table.values())
    durations = {}
    for (key, row), (seconds, fault) in zip(table.items(), results, strict=True):
        durations[key] = seconds
        if fault:
            problems.append(Problem(path, row.line, key, *fault))
    return durations


def check_texts(path: Path, table: Table, problems: list[Problem]) -> None:
    """Check that no utterance of ``text`` (at `path`) is empty."""
    for utt_id, row in table.items():
        if not row.value:
            fix = "add the text, or remove the utterance"
            problems.append(Problem(path, row.line, utt_id, "empty_text", "no text", fix))


def select_files(path: Path, table: Table, problems: list[Problem]) -> Table:
    """Return the rows of ``wav.scp`` (at `path`) that name a file."""
    files = {}
    for key, row in table.items():
        if row.value.startswith("|") or row.value.endswith("|"):
            message, fix = "a command; no shell is built from data", "run it, and name its output"
            problems.append(Problem(path, row.line, key, "command_pipe", message, fix))
        elif not row.value:
            problems.append(Problem(path, row.line, key, "bad_line", "no path", "add it"))
        else:
            files[key] = row
    return files


def check_segment_ends(
    path: Path,
    table: Table,
    segments: Mapping[str, Segment],
    lengths: Mapping[str, float],
    problems: list[Problem],
) -> None:
    """Check that `segments` end within their recordings, of `lengths` seconds (0: unknown)."""
    for utt_id, segment in segments.items():
        length = lengths.get(segment.recording, 0)
        if length and segment.end > length + TOLERANCE_SECONDS:
            line = table[utt_id].line
            message = f"ends at {segment.end} s, recording {segment.recording} at {length:.2f} s"
            fix = "correct the times, or remove the segment"
            problems.append(Problem(path, line, utt_id, "segment_past_end", message, fix))


def inspect_data_dir(
    path: Path, fs: int = 16000, has_text: bool = True, has_audio: bool = True, num_jobs: int = 1
) -> Inspection:
    """Check ``wav.scp text utt2spk spk2utt [segments]`` of a data directory.

    Args:
        path: The data directory.
        fs: Sampling rate that all audio must have, in Hz.
        has_text: Whether to want ``text``.
        has_audio: Whether to open the audio.
        num_jobs: Number of audio files to open at a time.
    """
    problems: list[Problem] = []
    has_segments = (path / "segments").exists()
    by_utterance = ["segments" if has_segments else "wav.scp", "utt2spk"]
    if has_text:
        by_utterance.insert(1, "text")
    names = dict.fromkeys(["wav.scp", *by_utterance, "spk2utt"])
    tables = {name: read_table(path / name, problems) for name in names}
    # An absent or empty table is one problem, not one for each utterance.
    check_keys(path, {name: tables[name] for name in by_utterance if tables[name]}, problems)
    if tables["utt2spk"] and tables["spk2utt"]:
        check_speakers(path / "spk2utt", tables["utt2spk"], tables["spk2utt"], problems)
    check_texts(path / "text", tables.get("text", {}), problems)
    files = select_files(path / "wav.scp", tables["wav.scp"], problems)
    lengths = check_recordings(path / "wav.scp", files, fs, num_jobs, problems) if has_audio else {}
    if not has_segments:
        return Inspection(problems, tables, lengths)
    where, table = path / "segments", tables["segments"]
    segments = read_segments(where, table, tables["wav.scp"], problems)
    check_segment_ends(where, table, segments, lengths, problems)
    durations = {utt_id: segment.end - segment.start for utt_id, segment in segments.items()}
    return Inspection(problems, tables, durations)


def check_data_dir(
    path: Path, fs: int = 16000, has_text: bool = True, has_audio: bool = True, num_jobs: int = 1
) -> list[Problem]:
    """Return the problems of a data directory; arguments as of `inspect_data_dir`."""
    return inspect_data_dir(path, fs, has_text, has_audio, num_jobs).problems
