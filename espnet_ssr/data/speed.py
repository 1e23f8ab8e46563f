"""Stage 2: speed perturbation (Ko et al., "Audio augmentation for speech recognition", Interspeech
2015, https://doi.org/10.21437/Interspeech.2015-711).

A copy at speed s lasts 1/s of its original, and all in it is higher by the factor s.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from espnet_ssr.data.copies import Copy, parse_speed, write_copies
from espnet_ssr.datadir import read_keyed


def perturb_data_dir(source: Path, path: Path, factors: Iterable[str]) -> int:
    """Write ``path``: the utterances of ``source`` and a copy of each at each factor.

    Copies are called ``sp<factor>-<utterance>``, of speaker ``sp<factor>-<speaker>``, as Kaldi's
    are. They name the audio of their originals, and ``segments`` has times in that audio.

    Args:
        factors: speeds as they are to be written in the names of the copies, "0.9". "1.0" stands
            for the originals, which are there in any case.

    Returns:
        The number of utterances, copies and originals.

    Raises:
        ValueError: a factor is no positive number or comes twice; ``source`` has copies already.
    """
    speeds = {"": 1.0, **{f"sp{name}-": speed for name, speed in parse_factors(factors).items()}}
    utt_ids = read_keyed(source / "text")
    return write_copies(
        source, path, ((f"{p}{u}", Copy(u, speed)) for p, speed in speeds.items() for u in utt_ids)
    )


def parse_factors(factors: Iterable[str]) -> dict[str, float]:
    """``["0.9", "1.0"]`` -> ``{"0.9": 0.9}``: speeds other than the original's, by name.

    Raises:
        ValueError: not a positive number, or there twice.
    """
    speeds: dict[str, float] = {}
    for factor in factors:
        speed = parse_speed(factor, "speed perturbation")
        if speed in speeds.values():
            raise ValueError(f"speed perturbation: the factor {factor} is there twice")
        if speed != 1:
            speeds[factor] = speed
    return speeds
