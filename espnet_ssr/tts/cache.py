"""Clips of speech by what they say, made once and checked once.

In the folder of a cache a clip is ``ab/abcdef....flac``, 16 kHz, under a hash of all that it
depends on: the voice with its model's version, the seed, the text as read aloud, the sample rate.
Beside it, under the same name, ``.json`` holds the record: what is said, by whom, when each word
is said where the voice knows, and what recognisers heard. A file is there whole or not at all, so
several jobs can fill a cache at a time, and be interrupted.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from espnet_ssr.datadir import read_audio
from espnet_ssr.text import normalize_text
from espnet_ssr.tts.gate import Gate
from espnet_ssr.tts.verbalize import verbalize
from espnet_ssr.tts.voice import Reading, Refused, Speech, Voice

SAMPLE_RATE = 16000


@dataclass(frozen=True)
class Clip:
    """A clip and its record.

    Attributes:
        audio: absolute path.
        text: the words that are said, normalised.
        voice: name of the voice.
        seed: that it was made with.
        seconds: how long it is.
        words: for each word of ``text`` when it begins and ends, in seconds; None if not known.
        heard: transcripts by the recognisers' names.
    """

    audio: str
    text: str
    voice: str
    seed: int
    seconds: float
    words: list[tuple[float, float]] | None
    heard: dict[str, str] = field(default_factory=dict)


class _Wanted(NamedTuple):
    """What to say: words, how the voice has to be given them, the voice."""

    text: str
    reading: Reading
    voice: Voice


class SpeechCache:
    """A folder of clips by ``voices``.

    Args:
        gate: None: no clip is checked.
        seed: of the first try of a clip.
        tries: how often a clip is made, with another seed each time, until it passes ``gate``.

    Attributes:
        counts: of clips ``made`` and ``found``.
    """

    def __init__(
        self,
        folder: Path,
        voices: Sequence[Voice],
        gate: Gate | None = None,
        seed: int = 0,
        tries: int = 3,
    ):
        self.folder, self.voices, self.gate = folder.absolute(), list(voices), gate
        self.seeds = range(seed, seed + tries)
        self.counts: Counter[str] = Counter()

    def voices_of(self, item_id: str) -> list[Voice]:
        """The voice that says an item, and those that stand in for it, in turn. That depends on the
        item's id and the voices alone; one more voice takes over its share of the items and leaves
        the others where they are."""
        return sorted(self.voices, key=lambda v: _hash(v.name, item_id), reverse=True)

    def speak(self, requests: Sequence[tuple[str, Voice]]) -> list[Clip | Refused]:
        """Clips of texts said by voices; what is not there is made, and checked all at once.

        Returns:
            for each request its clip, or why there is none: causes of `verbalize` and of the voice,
            and ``misheard``.
        """
        results: dict[int, Clip | Refused] = {}
        wanted: dict[int, _Wanted] = {}
        for number, (text, voice) in enumerate(requests):
            try:
                wanted[number] = _read(text, voice)
            except Refused as error:
                results[number] = error
        for seed in self.seeds:
            tried = {number: self._find_or_make(wanted[number], seed) for number in wanted}
            results |= self._check(tried)
            failed = [n for n in wanted if _cause(results[n]) == "misheard"]
            wanted = {number: wanted[number] for number in failed if wanted[number].voice.uses_seed}
        return [results[number] for number in range(len(requests))]

    def _find_or_make(self, wanted: _Wanted, seed: int) -> Clip | Refused:
        content = (wanted.voice.version, seed, wanted.text, wanted.reading.text, SAMPLE_RATE)
        name = _hash(*content)[:32]
        audio = self.folder / name[:2] / f"{name}.flac"
        if audio.exists() and audio.with_suffix(".json").exists():
            self.counts["found"] += 1
            return read_record(audio)
        try:
            speech = wanted.voice.speak(wanted.reading, seed)
        except Refused as error:
            return error
        self.counts["made"] += 1
        return _write_clip(audio, speech, wanted, seed)

    def _check(self, tried: dict[int, Clip | Refused]) -> dict[int, Clip | Refused]:
        """The clips that pass, and why others do not."""
        if self.gate is None:
            return tried
        clips = {clip.audio: clip for clip in tried.values() if isinstance(clip, Clip)}
        new = [clip for clip in clips.values() if self.gate.name not in clip.heard]
        audio = [read_audio(clip.audio, SAMPLE_RATE) for clip in new]
        heard = self.gate.transcriber.transcribe(audio) if new else []
        for clip, text in zip(new, heard, strict=True):
            clips[clip.audio].heard[self.gate.name] = text
            _write_record(clip)
        return {
            number: self._judge(clips[clip.audio]) if isinstance(clip, Clip) else clip
            for number, clip in tried.items()
        }

    def _judge(self, clip: Clip) -> Clip | Refused:
        heard = clip.heard[self.gate.name]
        if self.gate.passes(clip.text, heard):
            return clip
        return Refused("misheard", f"{clip.audio} by {clip.voice}: {clip.text!r} is {heard!r}")


def read_record(audio: str | os.PathLike) -> Clip:
    """The clip of a file that a cache gave.

    Raises:
        ValueError: its record is damaged.
    """
    path = Path(audio).with_suffix(".json")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        words = record.pop("words")
        times = words and [(start, end) for start, end in words]
        return Clip(str(audio), words=times, **record)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: damaged, remove it to make the clip again: {error}") from None


def _read(text: str, voice: Voice) -> _Wanted:
    spoken = verbalize(text)
    return _Wanted(normalize_text(spoken), voice.read(spoken), voice)


def _cause(result: Clip | Refused) -> str | None:
    return result.cause if isinstance(result, Refused) else None


def _hash(*content) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _write_clip(audio: Path, speech: Speech, wanted: _Wanted, seed: int) -> Clip:
    rate = wanted.voice.sample_rate
    samples = speech.samples.astype(np.float32) / 32768
    samples = np.clip(soxr.resample(samples, rate, SAMPLE_RATE), -1, 1)
    words = speech.words and [
        (round(phones[0].begin / rate, 4), round(phones[-1].end / rate, 4))
        for phones in speech.words
    ]
    seconds = round(len(samples) / SAMPLE_RATE, 4)
    clip = Clip(str(audio), wanted.text, wanted.voice.name, seed, seconds, words)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    audio.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(audio, buffer.getvalue())
    _write_record(clip)
    return clip


def _write_record(clip: Clip) -> None:
    record = {name: value for name, value in asdict(clip).items() if name != "audio"}
    _write_whole(Path(clip.audio).with_suffix(".json"), json.dumps(record).encode())


def _write_whole(path: Path, content: bytes) -> None:
    """Another job may write the same file at the same time."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
