"""Stage 2: copies of utterances in noise, in babble, in rooms and at other speeds.

What is done to a copy is drawn from a seed and the utterance's id, and written down, so that it is
the same whoever makes the audio, and in which order. Noise is made from the corpus itself: babble
of other speakers' utterances, and noise with their long-term spectrum (as in Ko et al., "A study on
data augmentation of reverberant speech", ICASSP 2017, https://doi.org/10.1109/ICASSP.2017.7953152,
and in the x-vector recipe of Snyder et al., ICASSP 2018, where these come from other corpora).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_ssr.data.augment_effects import NOISES, Effect
from espnet_ssr.data.copies import Copy, write_copies
from espnet_ssr.datadir import read_keyed

KINDS = ("speed", "room", "noise", *NOISES, "babble")
"""In the order in which they are applied; ``noise`` is one of ``NOISES``, drawn."""

NUM_TALKERS = (3, 7)  # in babble, as in Snyder et al.
NUM_SPECTRA = 8  # utterances whose long-term spectrum speech-shaped noise has
SEEDS = 1 << 32

Settings = Mapping[str, tuple[float, ...]]
"""By kind: speeds to draw from; a lowest and a highest value, or one that is always taken."""


@dataclass(frozen=True)
class Drawing:
    """How copies are drawn.

    Attributes:
        settings: see `parse_settings`.
        copies: of each utterance.
        probability: of each kind for a copy. A copy with none of them gets one, drawn.
        originals: whether the utterances themselves are there, too. If not, and there is one copy
            of each, copies have the names of the originals; else they begin with ``aug1-``.
        seed: of all that is drawn.
    """

    settings: Settings
    copies: int = 1
    probability: float = 0.5
    originals: bool = True
    seed: int = 0


def parse_settings(text: str) -> dict[str, tuple[float, ...]]:
    """``"speed=0.9,1.1 babble=5,20"`` -> ``{"speed": (0.9, 1.1), "babble": (5.0, 20.0)}``.

    Raises:
        ValueError: names what is wrong.
    """
    settings: dict[str, tuple[float, ...]] = {}
    for word in text.split():
        kind, equals, listed = word.partition("=")
        if kind not in KINDS or not equals:
            raise ValueError(f"augmentation: {word!r} is no kind=values of {', '.join(KINDS)}")
        if kind in settings:
            raise ValueError(f"augmentation: {kind} is there twice")
        try:
            values = tuple(map(float, listed.split(",")))
        except ValueError:
            values = (math.nan,)
        if not all(map(math.isfinite, values)):
            raise ValueError(f"augmentation: {word!r}: numbers with commas between, please")
        _check_values(kind, values, word)
        settings[kind] = values
    if not settings:
        raise ValueError("augmentation: nothing to do; for example babble=5,20 room=0.2,0.6")
    return settings


def _check_values(kind: str, values: Sequence[float], word: str) -> None:
    if kind == "speed":
        if min(values) <= 0:
            raise ValueError(f"augmentation: {word!r}: a speed is a positive number such as 0.9")
    elif len(values) > 2 or list(values) != sorted(values):
        raise ValueError(f"augmentation: {word!r}: one value, or the lowest and the highest")
    elif kind == "room" and not 0.05 <= values[0] <= values[-1] <= 2:
        raise ValueError(f"augmentation: {word!r}: reverberation lasts from 0.05 s to 2 s")


def augment_data_dir(source: Path, path: Path, drawing: Drawing) -> int:
    """Write ``path``: copies of the utterances of ``source``, and the utterances themselves if they
    are wanted; returns how many there are.

    ``utt2effects`` and ``utt2speed`` say what a copy is; its audio is made by stage 3.

    Raises:
        ValueError: a kind needs other speakers and there are none; ``source`` has copies already.
    """
    utt_ids = list(read_keyed(source / "text"))
    utt2spk = read_keyed(source / "utt2spk", set(utt_ids))
    return write_copies(source, path, draw_copies(utt_ids, Talkers(utt2spk), drawing))


def draw_copies(
    utt_ids: Sequence[str], talkers: Talkers, drawing: Drawing
) -> Iterator[tuple[str, Copy]]:
    """Names of utterances, and whose copies they are."""
    if drawing.originals:
        yield from ((utt_id, Copy(utt_id)) for utt_id in utt_ids)
    renamed = drawing.originals or drawing.copies > 1
    # What the audio of an original, which sources are, is called in the set.
    original = "" if drawing.originals or not renamed else "aug1-"
    for number in range(1, drawing.copies + 1):
        prefix = f"aug{number}-" if renamed else ""
        for utt_id in utt_ids:
            content = f"{drawing.seed} {number} {utt_id}".encode()
            rng = np.random.default_rng(list(hashlib.sha256(content).digest()))
            copy = draw_copy(utt_id, talkers, drawing, rng)
            effects = (
                e._replace(sources=tuple(f"{original}{name}" for name in e.sources))
                for e in copy.effects
            )
            yield f"{prefix}{utt_id}", copy._replace(effects=tuple(effects))


def draw_copy(utt_id: str, talkers: Talkers, drawing: Drawing, rng: np.random.Generator) -> Copy:
    """A copy of an utterance, with what is done to it."""
    kinds = [kind for kind in KINDS if kind in drawing.settings]
    chosen = [kind for kind in kinds if rng.random() < drawing.probability]
    speed, effects = 1.0, []
    for kind in chosen or [kinds[rng.integers(len(kinds))]]:
        values = drawing.settings[kind]
        if kind == "speed":
            speed = float(rng.choice(values))
        else:
            value = round(float(rng.uniform(values[0], values[-1])), 3)
            effects.append(_draw_effect(kind, value, talkers, utt_id, rng))
    return Copy(utt_id, speed, tuple(effects))


def _draw_effect(
    kind: str, value: float, talkers: Talkers, utt_id: str, rng: np.random.Generator
) -> Effect:
    kind = str(rng.choice(NOISES)) if kind == "noise" else kind
    sources: tuple[str, ...] = ()
    if kind == "babble":
        number = int(rng.integers(*NUM_TALKERS, endpoint=True))
        sources = talkers.draw_speakers(number, rng, but=talkers.speaker_of(utt_id))
    elif kind == "speech_shaped":
        sources = talkers.draw(NUM_SPECTRA, rng)
    return Effect(kind, value, int(rng.integers(SEEDS)), sources)


class Talkers:
    """Speakers of utterances, to draw some of these.

    Args:
        utt2spk: speaker of each utterance.
    """

    def __init__(self, utt2spk: Mapping[str, str]):
        self._utt2spk = utt2spk
        self._utt_ids = list(utt2spk)
        self._num_speakers = len(set(utt2spk.values()))

    def draw(self, number: int, rng: np.random.Generator) -> tuple[str, ...]:
        """So many different utterances, or all if there are fewer."""
        chosen = rng.choice(len(self._utt_ids), min(number, len(self._utt_ids)), replace=False)
        return tuple(self._utt_ids[place] for place in chosen)

    def speaker_of(self, utt_id: str) -> str:
        """The speaker of an utterance."""
        return self._utt2spk[utt_id]

    def draw_speakers(
        self, number: int, rng: np.random.Generator, but: str | None = None
    ) -> tuple[str, ...]:
        """Utterances of so many different speakers, or of all there are if these are fewer.

        Args:
            but: a speaker who is not drawn.

        Raises:
            ValueError: there is no (other) speaker.
        """
        taken = set() if but is None else {but}
        wanted = min(number, self._num_speakers - len(taken))
        if wanted < 1:
            raise ValueError(
                f"babble needs {'speakers' if but is None else f'other speakers than {but}'}, and "
                "utt2spk has none: give another set, or noise=... in its place"
            )
        found: list[str] = []
        while len(found) < wanted:
            drawn = self._utt_ids[rng.integers(len(self._utt_ids))]
            if self._utt2spk[drawn] not in taken:
                taken.add(self._utt2spk[drawn])
                found.append(drawn)
        return tuple(found)
