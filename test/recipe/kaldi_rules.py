"""What Kaldi's utils/validate_data_dir.sh and validate_text.pl demand of a data directory.

Written from their rules, as the scripts themselves want a Kaldi installation. Files are compared
as bytes, in the order of ``LC_ALL=C sort``.
"""

from __future__ import annotations

import re
from pathlib import Path

# Tables with a line for each utterance that need not be there.
OPTIONAL = ("utt2uniq", "utt2lang", "utt2dur", "utt2num_frames", "feats.scp", "vad.scp")
FORBIDDEN_WORDS = {b"<s>", b"</s>", b"#0"}
# What validate_text.pl takes for whitespace that is not plain, in UTF-8.
ODD_SPACES = re.compile("[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")

Rows = list[list[bytes]]


def find_violations(folder: Path) -> list[str]:
    """The rules that a data directory breaks, one line each."""
    needed = ("utt2spk", "spk2utt", "text", "wav.scp")
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        return [f"{name}: no such file" for name in missing]
    tables = {
        name: read_rows(folder / name)
        for name in (*needed, *OPTIONAL, "segments")
        if (folder / name).is_file()
    }
    problems = [f"{name}: empty" for name in needed if not tables[name]]
    for name, rows in tables.items():
        problems += check_lines(folder / name, rows)
    problems += check_speakers(tables["utt2spk"], tables["spk2utt"])
    problems += check_text(folder / "text", tables["text"])
    utterances = keys(tables["utt2spk"])
    recordings = "wav.scp"
    if "segments" in tables:
        problems += check_segments(tables["segments"], keys(tables["wav.scp"]))
        recordings = "segments"
    for name in ("text", recordings, *OPTIONAL):
        if name in tables and keys(tables[name]) != utterances:
            problems.append(f"{name}: its utterances are not those of utt2spk")
    for name in ("utt2dur", "utt2num_frames"):
        for row in tables.get(name, ()):
            if len(row) != 2 or not float(row[1]) > 0:
                problems.append(f"{name}: {row}: not a positive number")
    return problems


def read_rows(path: Path) -> Rows:
    return [line.split() for line in path.read_bytes().split(b"\n")[:-1]]


def keys(rows: Rows) -> list[bytes]:
    return [row[0] for row in rows if row]


def check_lines(path: Path, rows: Rows) -> list[str]:
    """Lines end, have a key, and are sorted by it, each key once."""
    data, problems = path.read_bytes(), []
    if not data.endswith(b"\n") or b"\r" in data:
        problems.append(f"{path.name}: a line without a proper end")
    if not all(rows):
        problems.append(f"{path.name}: an empty line")
    if keys(rows) != sorted(set(keys(rows))):
        problems.append(f"{path.name}: not sorted, or a key twice")
    return problems


def check_speakers(utt2spk: Rows, spk2utt: Rows) -> list[str]:
    """Two fields each; sorted by speaker as by utterance; one is the inverse of the other."""
    if any(len(row) != 2 for row in utt2spk):
        return ["utt2spk: not two fields"]
    problems = []
    # sort -k2: by the rest of the line from the speaker on, then by the whole line.
    if utt2spk != sorted(utt2spk, key=lambda row: (row[1], b" ".join(row))):
        problems.append("utt2spk: not sorted by speaker: make speakers prefixes of utterances")
    inverse = [[utterance, row[0]] for row in spk2utt for utterance in row[1:]]
    if inverse != utt2spk:
        problems.append("spk2utt: not the inverse of utt2spk, in its order")
    return problems


def check_text(path: Path, rows: Rows) -> list[str]:
    """UTF-8, with words, plain single spaces and no symbols of Kaldi's own."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        return [f"text: {error}"]
    problems = [f"text: {row[0]!r} has no words" for row in rows if len(row) == 1]
    problems += [f"text: {row[0]!r} has {FORBIDDEN_WORDS & set(row)}" for row in rows
                 if FORBIDDEN_WORDS & set(row)]  # fmt: skip
    if ODD_SPACES.search(text):
        problems.append("text: whitespace that is none in ASCII")
    return problems


def check_segments(segments: Rows, recordings: list[bytes]) -> list[str]:
    """Four fields, of positive length; its recordings are exactly those of wav.scp."""
    problems = [
        f"segments: bad line {row}"
        for row in segments
        if len(row) != 4 or float(row[3]) <= float(row[2])
    ]
    if sorted({row[1] for row in segments if len(row) == 4}) != recordings:
        problems.append("segments: its recordings are not those of wav.scp")
    return problems
