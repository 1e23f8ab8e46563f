"""Multilingual LibriSpeech (CC BY 4.0), English: read books, 44,660 hours, 10.8 million utterances.

A part (``train``, ``dev``, ``test``) is a folder with ``transcripts.txt``, lines of an utterance, a
tab and its text, and with ``audio/<speaker>/<book>/<speaker>_<book>_<number>.flac`` (``.opus`` in
the compressed archive). ``train/limited_supervision/{1hr,9hr}`` list utterances of small training
sets.

Nothing is kept in memory for each utterance: transcripts are sorted by coreutils' ``sort``, folders
are listed in the same order, the two are merged and written. No audio is opened: stage 3 decodes
all of it in any case and says what is damaged, and to do it twice would take hours.

Utterance ids have ``-`` for ``_``: they are then sorted by speaker, too, as Kaldi's tools demand
(``10-`` comes before ``100-``, but ``10_`` after ``100_``).
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import IO, NamedTuple

from espnet_ssr.datadir import replaced_dir
from espnet_ssr.progress import Progress
from espnet_ssr.recipes import CorpusError
from espnet_ssr.text import normalize_text

UTT_ID = re.compile(r"\d+_\d+_\d+", re.ASCII)
SUFFIXES = (".flac", ".opus")
FOLDERS = ("mls_english", "mls_english_opus", ".")
LINES_A_STEP = 1000  # of the progress
SORT_MEMORY = "1G"
TABLES = ("wav.scp", "text", "utt2spk", "spk2utt", "dropped")

Found = tuple[str, str, str]
"""Utterance id; ``text`` or ``audio``; the text, or the path."""


class Summary(NamedTuple):
    """What `prepare_mls` wrote."""

    num_utterances: int
    num_speakers: int
    dropped: Counter[str]  # by cause

    def describe(self) -> str:
        """Counts, for people."""
        causes = ", ".join(f"{number} {cause}" for cause, number in sorted(self.dropped.items()))
        left_out = f"left out {self.dropped.total()}" + (f": {causes}" if causes else "")
        return f"{self.num_utterances} utterances, {self.num_speakers} speakers, {left_out}"


def find_part(corpus_dir: Path, part: str) -> Path:
    """The folder of a part, in `corpus_dir` or in its folder ``mls_english`` or
    ``mls_english_opus``.

    Raises:
        CorpusError: there is none with transcripts and audio; the message says what there is.
    """
    for name in FOLDERS:
        folder = corpus_dir / name / part
        if (folder / "transcripts.txt").is_file() and (folder / "audio").is_dir():
            return folder
    there = sorted(path.name for path in corpus_dir.glob("*"))[:10]
    raise CorpusError(
        f"{corpus_dir}: no {part} of MLS in it, only {' '.join(there) or 'nothing'}; expected "
        f"{corpus_dir}/mls_english/{part}/transcripts.txt, and audio beside it"
    )


def read_handles(part_dir: Path, subset: str) -> frozenset[str]:
    """Utterance ids of a small training set, ``1hr`` (all six parts of ten minutes) or ``9hr``.

    Raises:
        CorpusError: there is none.
    """
    folder = part_dir / "limited_supervision" / subset
    paths = sorted(folder.rglob("handles.txt"))
    if not paths:
        raise CorpusError(f"{folder}: no handles.txt in or below it")
    words = itertools.chain.from_iterable(path.read_text().split() for path in paths)
    return frozenset(word.replace("_", "-") for word in words)


def read_transcripts(
    path: Path, wanted: frozenset[str] | None, drop: Dropper
) -> Iterator[tuple[str, str]]:
    """Utterance ids and normalised texts of a ``transcripts.txt``, of those that are wanted."""
    progress = Progress(path.stat().st_size >> 20, f"read {path.name} (MB)")
    with open(path, "rb") as file:
        for number, raw in enumerate(file, 1):
            if number % LINES_A_STEP == 0:
                progress.update((file.tell() >> 20) - progress.done)
            line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
            name, _, text = line.partition("\t")
            utt_id = name.replace("_", "-")
            if "\N{REPLACEMENT CHARACTER}" in line:
                drop(f"{path.name}:{number}", "bad_utf8", repr(line))
            elif not UTT_ID.fullmatch(name):
                drop(f"{path.name}:{number}", "bad_line", repr(line))
            elif wanted is None or utt_id in wanted:
                yield utt_id, normalize_text(text)


def sort_by_id(items: Iterator[tuple[str, str]], folder: Path) -> Iterator[Found]:
    """The texts in the order of their ids, those of the same id as they came.

    Args:
        folder: for what does not fit into memory.
    """
    command = ["sort", "--stable", "--field-separator=\t", "--key=1,1"]
    with subprocess.Popen(
        [*command, f"--buffer-size={SORT_MEMORY}", f"--temporary-directory={folder}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "LC_ALL": "C"},
    ) as sort:
        # What ended it is asked for below.
        with contextlib.suppress(BrokenPipeError), sort.stdin:
            sort.stdin.writelines(f"{utt_id}\t{text}\n" for utt_id, text in items)
        for line in sort.stdout:
            utt_id, _, text = line.rstrip("\n").partition("\t")
            yield utt_id, "text", text
    if sort.returncode:
        raise RuntimeError(f"sort ended with {sort.returncode}; is there room in {folder}?")


def list_audio(audio_dir: Path, wanted: frozenset[str] | None) -> Iterator[Found]:
    """Audio files in the order of their ids, of those that are wanted."""
    speakers = None if wanted is None else {utt_id.split("-")[0] for utt_id in wanted}
    for speaker in _list(audio_dir):
        if speakers is not None and speaker not in speakers:
            continue
        for book in _list(audio_dir / speaker):
            folder = f"{audio_dir.absolute()}/{speaker}/{book}"
            for name in _list(folder):
                stem, suffix = os.path.splitext(name)
                utt_id = stem.replace("_", "-")
                if suffix in SUFFIXES and (wanted is None or utt_id in wanted):
                    yield utt_id, "audio", f"{folder}/{name}"


def _list(folder: str | Path) -> list[str]:
    """Names in a folder, sorted; of a file, none."""
    try:
        return sorted(os.listdir(folder))
    except NotADirectoryError:
        return []


class Dropper:
    """Writes a file ``dropped`` and counts its causes."""

    def __init__(self, file: IO[str]):
        self._file = file
        self.causes: Counter[str] = Counter()

    def __call__(self, key: str, cause: str, details: str) -> None:
        self._file.write(f"{key} {cause} {details}\n")
        self.causes[cause] += 1


def choose(utt_id: str, found: list[Found], drop: Dropper) -> tuple[str, str] | None:
    """Text and path of an utterance, of all that has its id; None if there is not one of each."""
    texts = [value for _, kind, value in found if kind == "text"]
    paths = [value for _, kind, value in found if kind == "audio"]
    for again in texts[1:]:
        drop(f"{utt_id}(again)", "duplicate_utterance", again)
    if not paths:
        drop(utt_id, "no_audio", texts[0])
    elif not texts:
        drop(utt_id, "no_transcript", paths[0])
    elif not texts[0]:
        drop(utt_id, "empty_text", paths[0])
    else:
        return texts[0], paths[0]
    return None


def prepare_mls(corpus_dir: Path, part: str, output_dir: Path) -> Summary:
    """Write the Kaldi data directory ``output_dir`` of a part of MLS, with ``dropped``.

    Causes of what is left out are ``bad_utf8`` and ``bad_line`` (of transcripts.txt),
    ``duplicate_utterance``, ``empty_text``, ``no_audio`` (of a transcript) and ``no_transcript``
    (of audio).

    Args:
        corpus_dir: folder with ``mls_english`` or ``mls_english_opus`` in it, or that folder.
        part: ``train``, ``dev``, ``test``, ``train_9hr`` or ``train_1hr``.
        output_dir: replaced if it is there.

    Raises:
        CorpusError: the part is not there, or nothing of it can be used.
    """
    part, _, subset = part.partition("_")
    part_dir = find_part(corpus_dir, part)
    wanted = read_handles(part_dir, subset) if subset else None
    num_utterances, speakers = 0, []
    with replaced_dir(output_dir) as folder, contextlib.ExitStack() as stack:
        tables = {
            name: stack.enter_context(open(folder / name, "w", encoding="utf-8")) for name in TABLES
        }
        drop = Dropper(tables["dropped"])
        texts = read_transcripts(part_dir / "transcripts.txt", wanted, drop)
        merged = heapq.merge(
            sort_by_id(texts, folder), list_audio(part_dir / "audio", wanted), key=itemgetter(0)
        )
        for utt_id, found in itertools.groupby(merged, key=itemgetter(0)):
            if (chosen := choose(utt_id, list(found), drop)) is None:
                continue
            speaker = utt_id.split("-")[0]
            if not speakers or speaker != speakers[-1]:
                tables["spk2utt"].write(f"\n{speaker}" if speakers else speaker)
                speakers.append(speaker)
            tables["spk2utt"].write(f" {utt_id}")
            for name, value in zip(TABLES, (chosen[1], chosen[0], speaker), strict=False):
                tables[name].write(f"{utt_id} {value}\n")
            num_utterances += 1
        tables["spk2utt"].write("\n")
        summary = Summary(num_utterances, len(speakers), drop.causes)
        if not num_utterances:
            raise CorpusError(f"{part_dir}: no utterance can be used: {summary.describe()}")
    return summary
