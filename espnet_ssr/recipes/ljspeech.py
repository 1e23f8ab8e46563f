"""LJ Speech 1.1 (public domain): 24 hours of one speaker, who reads seven books, 22.05 kHz.

``LJSpeech-1.1/metadata.csv`` has lines ``LJ001-0001|as printed|as read`` without quotes, audio is
in ``wavs/LJ001-0001.wav``. The sets are those of ESPnet's recipes, in the order of the names: the
last clips are ``eval1``, as many before them ``dev``, the others ``tr_no_dev``. Clips are parts of
chapters, often of sentences, so the sets share a book.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.prepared import Entry, Prepared, fault_of_line

SPEAKER = "LJ"
SAMPLE_RATE = 22050
NUM_EVAL = 250  # clips of dev, and of eval1
CLIP = re.compile(r"LJ\d{3}-\d{4}")


def find_corpus(corpus_dir: Path) -> Path:
    """The folder of ``metadata.csv``: `corpus_dir` or LJSpeech-1.1 in it.

    Raises:
        CorpusError: it is not there.
    """
    for folder in (corpus_dir / "LJSpeech-1.1", corpus_dir):
        if (folder / "metadata.csv").is_file():
            return folder
    raise CorpusError(f"{corpus_dir}: no metadata.csv in it or in its folder LJSpeech-1.1")


def read_metadata(path: Path) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Read ``metadata.csv``.

    Returns:
        Texts as they are read aloud by clip, and lines that are none (``bad_line``, ``bad_utf8``)
        or give a clip again (``duplicate_utterance``): cause and details by file and line.
    """
    texts: dict[str, str] = {}
    dropped: dict[str, tuple[str, str]] = {}
    for number, raw in enumerate(path.read_bytes().splitlines(), 1):
        line = raw.decode("utf-8", errors="replace")
        fields = line.split("|")
        is_wellformed = len(fields) == 3 and bool(CLIP.fullmatch(fields[0]))
        if cause := fault_of_line(line, is_wellformed, fields[0], texts):
            dropped[f"{path.name}:{number}"] = (cause, f"{path}:{number}: {line!r}")
        else:
            texts[fields[0]] = fields[2]
    return texts, dropped


def split_clips(clips: Iterable[str]) -> dict[str, list[str]]:
    """Clips by set: `NUM_EVAL` of them in dev and in eval1, of a small piece of the corpus a tenth.

    Raises:
        CorpusError: there are fewer than ten.
    """
    clips = sorted(clips)
    num_eval = min(NUM_EVAL, len(clips) // 10)
    if not num_eval:
        raise CorpusError(f"{len(clips)} clips are too few for three sets: at least 10 are wanted")
    return {
        "tr_no_dev": clips[: -2 * num_eval],
        "dev": clips[-2 * num_eval : -num_eval],
        "eval1": clips[-num_eval:],
    }


def prepare_ljspeech(corpus_dir: Path, data_dir: Path, nj: int = 1) -> dict[str, Prepared]:
    """Write ``data_dir/{tr_no_dev,dev,eval1}``, each with ``dropped``.

    A set is made of what ``metadata.csv`` has, so damaged files move no clip to another set. Causes
    of what is left out are ``no_text`` (audio that ``metadata.csv`` does not name) and those of
    `read_metadata`, both in tr_no_dev, and those of `Prepared.add`.

    Args:
        corpus_dir: LJSpeech-1.1, or the folder that it is in.
        data_dir: folder for the data directories; those there are replaced.
        nj: files that are read at once.

    Raises:
        CorpusError: `corpus_dir` does not hold the corpus, or nothing of a set can be used.
    """
    folder = find_corpus(corpus_dir)
    texts, dropped = read_metadata(folder / "metadata.csv")
    sets = {name: Prepared() for name in ("tr_no_dev", "dev", "eval1")}
    sets["tr_no_dev"].dropped = dropped
    for path in sorted((folder / "wavs").glob("*.wav")):
        if path.stem not in texts:
            sets["tr_no_dev"].drop(path.stem, "no_text", f"{path} is not in metadata.csv")
    for name, clips in split_clips(texts).items():
        entries = [
            Entry(clip, texts[clip], folder / "wavs" / f"{clip}.wav", SPEAKER) for clip in clips
        ]
        sets[name].add_all(entries, SAMPLE_RATE, nj, f"read {name}")
    for name, prepared in sets.items():
        prepared.write(data_dir / name, folder)
    return sets
