"""What is done to the audio of an utterance: noise and rooms, each set down in a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from espnet_ssr.data.augment_noise import (
    add_at_snr,
    babble,
    fit_in_range,
    mean_power,
    pink_noise,
    speech_shaped_noise,
    white_noise,
)
from espnet_ssr.data.augment_room import draw_room, reverberate, room_response

NOISES = ("white", "pink", "speech_shaped")
KINDS = (*NOISES, "babble", "room")


class NotAugmented(Exception):
    """It cannot be done; the first argument is the cause, the second the details."""


class Effect(NamedTuple):
    """One thing that is done to speech.

    Attributes:
        kind: one of ``KINDS``.
        value: of a room its time of reverberation in seconds, else the signal-to-noise ratio in dB.
        seed: of what is drawn at random.
        sources: names of the utterances that babble is made of, or whose long-term spectrum
            ``speech_shaped`` noise has.
    """

    kind: str
    value: float
    seed: int
    sources: tuple[str, ...] = ()


def dump_effects(effects: Iterable[Effect]) -> str:
    """One line, for `load_effects`: ``[["babble", 9.5, 17, ["utt1", "utt2"]]]``."""
    return json.dumps(effects, ensure_ascii=False)


def load_effects(line: str, where: str) -> tuple[Effect, ...]:
    """Raises:
    ValueError: it is no line of `dump_effects`.
    """
    try:
        content = json.loads(line)
        if not isinstance(content, list):
            raise ValueError("no list")
        effects = [Effect(*fields) for fields in content]
        return tuple(
            Effect(_known(e.kind), float(e.value), int(e.seed), tuple(map(str, e.sources)))
            for e in effects
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: no list of effects ({error}): run stage 2 again") from None


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    return kind


def apply_effects(
    speech: np.ndarray,
    effects: Sequence[Effect],
    sample_rate: int,
    read: Callable[[str], np.ndarray | None],
) -> np.ndarray:
    """Speech ``(N,)`` with all effects, one after another; ``(N,)``, float32, within 16 bit range.

    Nothing moves in time. If it would be clipped all of it is made less loud.

    Args:
        read: gives the samples of a source, or None if it is not usable.

    Raises:
        NotAugmented: ``silent_speech``, which has no ratio to noise; ``no_noise_source``, if none
            is usable.
    """
    samples = speech.astype(np.float64)
    for effect in effects:
        rng = np.random.default_rng(effect.seed)
        if effect.kind == "room":
            response = room_response(draw_room(effect.value, rng), sample_rate)
            samples = reverberate(samples, response)
        elif mean_power(samples):
            noise = _make_noise(effect, len(samples), read, rng)
            samples = add_at_snr(samples, noise, effect.value)
        else:
            raise NotAugmented("silent_speech", "it has no ratio to noise")
    return fit_in_range(samples).astype(np.float32)


def _make_noise(
    effect: Effect,
    num_samples: int,
    read: Callable[[str], np.ndarray | None],
    rng: np.random.Generator,
) -> np.ndarray:
    if effect.kind == "white":
        return white_noise(num_samples, rng)
    if effect.kind == "pink":
        return pink_noise(num_samples, rng)
    sources = [s for s in map(read, effect.sources) if s is not None and mean_power(s)]
    if not sources:
        raise NotAugmented("no_noise_source", f"none of {', '.join(effect.sources)} is usable")
    make = babble if effect.kind == "babble" else speech_shaped_noise
    noise = make(num_samples, sources, rng)
    if not mean_power(noise):
        raise NotAugmented("no_noise_source", f"silent pieces of {', '.join(effect.sources)}")
    return noise
