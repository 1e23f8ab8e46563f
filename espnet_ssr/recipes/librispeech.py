"""LibriSpeech (CC BY 4.0) and corpora in its layout: read books of many speakers, 16 kHz.

A part (``train-clean-100``, ``test-other``, ...) has a folder for each speaker, which has one for
each chapter: ``<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac`` and one
``<speaker>-<chapter>.trans.txt`` with lines ``utterance TEXT``. Only what lies in a part matters:
the parts may be in ``<root>/LibriSpeech`` or in the root itself.
"""

from __future__ import annotations

import re
from pathlib import Path

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.prepared import Entry, Prepared, fault_of_line

SAMPLE_RATE = 16000
UTT_ID = re.compile(r"\d+-\d+-\d+")


def find_part(corpus_dir: Path, part: str) -> Path:
    """The folder of a part, in `corpus_dir` or in its folder LibriSpeech.

    Raises:
        CorpusError: there is none; the message says which parts there are.
    """
    for folder in (corpus_dir / "LibriSpeech", corpus_dir):
        if (folder / part).is_dir():
            return folder / part
    found = sorted({path.parents[2].name for path in corpus_dir.rglob("*.trans.txt")})
    there = f"only {' '.join(found)}" if found else "no part of LibriSpeech"
    raise CorpusError(
        f"{corpus_dir}: no folder {part} in it or in its LibriSpeech, {there}; expected files such "
        f"as {corpus_dir}/LibriSpeech/{part}/103/1240/103-1240.trans.txt"
    )


def read_transcripts(part_dir: Path) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Read all ``.trans.txt`` files of a part.

    Returns:
        Texts as they stand there by utterance, and lines that are none (``bad_line``, ``bad_utf8``)
        or give an utterance again (``duplicate_utterance``), by file and line.
    """
    texts: dict[str, str] = {}
    dropped: dict[str, tuple[str, str]] = {}
    for path in sorted(part_dir.glob("*/*/*.trans.txt")):
        for number, raw in enumerate(path.read_bytes().splitlines(), 1):
            line = raw.decode("utf-8", errors="replace").strip()
            utt_id, _, text = line.partition(" ")
            if cause := fault_of_line(line, bool(UTT_ID.fullmatch(utt_id)), utt_id, texts):
                dropped[f"{path.name}:{number}"] = (cause, f"{path}:{number}: {line!r}")
            else:
                texts[utt_id] = text
    return texts, dropped


def prepare_librispeech(corpus_dir: Path, part: str, output_dir: Path, nj: int = 1) -> Prepared:
    """Write the Kaldi data directory ``output_dir`` of a part of LibriSpeech, with ``dropped``.

    Causes of what is left out are ``no_audio`` (of a transcript), ``no_transcript`` (of audio),
    those of `read_transcripts` and of `Prepared.add`.

    Args:
        corpus_dir: folder with LibriSpeech in it, or that folder.
        part: such as ``train-clean-100``.
        output_dir: replaced if it is there.
        nj: files that are read at once.

    Raises:
        CorpusError: the part is not there, or nothing of it can be used.
    """
    part_dir = find_part(corpus_dir, part)
    prepared = Prepared()
    texts, prepared.dropped = read_transcripts(part_dir)
    audio = {path.stem: path for path in sorted(part_dir.glob("*/*/*.flac"))}
    for utt_id in texts.keys() - audio.keys():
        prepared.drop(utt_id, "no_audio", f"no {utt_id}.flac in {part_dir}")
    for utt_id in audio.keys() - texts.keys():
        prepared.drop(utt_id, "no_transcript", audio[utt_id])
    entries = [
        Entry(utt_id, texts[utt_id], audio[utt_id], utt_id.split("-")[0])
        for utt_id in sorted(texts.keys() & audio.keys())
    ]
    prepared.add_all(entries, SAMPLE_RATE, nj, f"read {part}")
    prepared.write(output_dir, part_dir)
    return prepared
