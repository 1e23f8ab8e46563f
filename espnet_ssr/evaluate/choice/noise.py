"""Spoken items in noise: files of their own beside the clips, so all systems get the same audio.

What is added to a clip depends on the clip's content, the noise's kind and seed, and the data
directory that babble comes from; not on the ratio, so that 10 dB and 0 dB have the same noise.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from espnet_ssr.data.augment import NUM_SPECTRA, NUM_TALKERS, SEEDS, Talkers
from espnet_ssr.data.augment_effects import NOISES, Effect
from espnet_ssr.data.format import (
    DropUtterance,
    Recording,
    describe_input,
    read_recording,
    read_recordings,
    write_audio,
)
from espnet_ssr.datadir import read_keyed
from espnet_ssr.evaluate.choice.item import Item, Parts
from espnet_ssr.jobs import part_of_job, run_processes
from espnet_ssr.progress import Progress

FROM_SPEECH = ("babble", "speech_shaped")
"""Kinds that are made of the utterances of ``source``."""
KINDS = (*NOISES, "babble")
SAMPLE_RATE = 16000
CLIPS_PER_JOB = 50


@dataclass(frozen=True)
class Noise:
    """What is added to all that is spoken in a task.

    Attributes:
        kind: ``white``, ``pink``, ``speech_shaped`` or ``babble``.
        snr: ratio of the mean powers of a clip and its noise, dB.
        source: data directory with audio whose utterances babble consists of, or whose long-term
            spectrum speech-shaped noise has. Other voices than those that speak the items.
        seed: of what is drawn for each clip.

    Raises:
        ValueError: no such kind; no number; no source, or one that is not needed.
    """

    kind: str
    snr: float
    source: str | None = None
    seed: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"noise: {self.kind!r} is none of {', '.join(KINDS)}")
        if not isinstance(self.snr, (int, float)) or not math.isfinite(self.snr):
            raise ValueError(f"noise: snr should be a number of dB, not {self.snr!r}")
        if (self.kind in FROM_SPEECH) != (self.source is not None):
            needs = "needs a source" if self.source is None else "has no source"
            raise ValueError(f"noise: {self.kind} {needs} (a data directory with utterances)")


class NoisyClips:
    """Makes clips in noise, below ``folder``, where they are kept.

    Raises:
        FileNotFoundError: the noise's source is no data directory.
    """

    def __init__(self, noise: Noise, folder: Path):
        self._noise, self._folder = noise, folder.absolute()
        self._recordings: dict[str, Recording] = {}
        if noise.source is not None:
            self._recordings = read_recordings(Path(noise.source))
            utt2spk = read_keyed(Path(noise.source) / "utt2spk", self._recordings)
            self._talkers = Talkers(utt2spk)

    def add(self, audio: str) -> str:
        """The file of a clip in noise, which is made if it is not there.

        Raises:
            DropUtterance: the clip cannot be read or is silent, or the source is not usable.
        """
        try:
            digest = hashlib.sha256(Path(audio).read_bytes()).hexdigest()
        except OSError as error:
            raise DropUtterance("no_audio", f"{audio}: {error.strerror}") from None
        effect = self._draw(digest)
        sources = {name: self._recordings[name] for name in effect.sources}
        recording = Recording(audio, effects=(effect,), sources=sources)
        stamps = [describe_input(source, "") for source in sources.values()]
        content = json.dumps([digest, effect, stamps, SAMPLE_RATE]).encode()
        name = hashlib.sha256(content).hexdigest()[:32]
        file = self._folder / name[:2] / f"{name}.flac"
        if not file.exists():
            samples = read_recording(recording, SAMPLE_RATE)
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{os.getpid()}.{file.name}")
            write_audio(temporary, samples, SAMPLE_RATE)
            temporary.replace(file)
        return str(file)

    def _draw(self, digest: str) -> Effect:
        kind, seed = self._noise.kind, self._noise.seed
        content = hashlib.sha256(f"{seed} {digest}".encode()).digest()
        rng = np.random.default_rng(list(content))
        sources: tuple[str, ...] = ()
        if kind == "babble":
            number = int(rng.integers(*NUM_TALKERS, endpoint=True))
            sources = self._talkers.draw_speakers(number, rng)
        elif kind == "speech_shaped":
            sources = self._talkers.draw(NUM_SPECTRA, rng)
        return Effect(kind, float(self._noise.snr), int(rng.integers(SEEDS)), sources)


def add_noise(
    items: Mapping[str, Sequence[Item]], noise: Noise, folder: Path, num_jobs: int = 1
) -> tuple[dict[str, list[Item]], list[tuple[str, str, str, str]]]:
    """Items whose audio is in noise; parts without audio stay as they are.

    Args:
        items: by mode.
        folder: of clips in noise; may be shared by all tasks.

    Returns:
        the items, and mode, id, cause and details of those that are left out.
    """
    files = sorted({file for found in items.values() for item in found for file in _audio(item)})
    if num_jobs > 1:  # fill the folder first
        work = partial(_add_job, files=files, noise=noise, folder=folder, num_jobs=num_jobs)
        run_processes(work, num_jobs, len(files), "noise")
    noisy, dropped = _add_all(files, NoisyClips(noise, folder))
    kept: dict[str, list[Item]] = {mode: [] for mode in items}
    left_out = []
    for mode, found in items.items():
        for item in found:
            causes = [dropped[file] for file in _audio(item) if file in dropped]
            if causes:
                left_out.append((mode, item.item_id, *causes[0].args))
            else:
                kept[mode].append(_replace_audio(item, noisy))
    return kept, left_out


def _add_job(job: int, files: Sequence[str], noise: Noise, folder: Path, num_jobs: int) -> None:
    _add_all(part_of_job(files, job, num_jobs, CLIPS_PER_JOB), NoisyClips(noise, folder))


def _add_all(
    files: Sequence[str], clips: NoisyClips
) -> tuple[dict[str, str], dict[str, DropUtterance]]:
    """Files in noise by those without, and what is wrong with others."""
    noisy, dropped = {}, {}
    progress = Progress(len(files), "noise")
    for file in files:
        try:
            noisy[file] = clips.add(file)
        except DropUtterance as error:
            dropped[file] = error
        progress.update()
    return noisy, dropped


def _audio(item: Item) -> list[str]:
    sides = (item.context, *item.candidates)
    return [part.audio for parts in sides for part in parts if part.spoken and part.audio]


def _replace_audio(item: Item, noisy: Mapping[str, str]) -> Item:
    def fill(parts: Parts) -> Parts:
        return tuple(p._replace(audio=noisy[p.audio]) if p.spoken and p.audio else p for p in parts)

    return replace(item, context=fill(item.context), candidates=tuple(map(fill, item.candidates)))
