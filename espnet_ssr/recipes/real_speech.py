"""Real speech of several corpora for a training set: how much, of whom, in which writing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import soundfile

from espnet_ssr.datadir import Utterance, read_keyed, write_data_dir, write_keyed
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.order import by_hash
from espnet_ssr.recipes.truecase import Truecaser, natural_transcript
from espnet_ssr.text import normalize_text

WRITTEN = "written"
"""File of a data directory: what a corpus writes where ``text`` has normalized words."""


def read_set(folder: Path, truecase: Truecaser | None) -> dict[str, Utterance]:
    """Utterances of a data directory whose audio is in files.

    Args:
        truecase: transcripts are natural (see `natural_transcript`); None: normalized words.

    Raises:
        CorpusError: it has ``segments``, or an audio file cannot be read.
    """
    if (folder / "segments").exists():
        raise CorpusError(f"{folder} has segments: each utterance must be a file of its own")
    speakers, wavs = read_keyed(folder / "utt2spk"), read_keyed(folder / "wav.scp")
    has_written = (folder / WRITTEN).exists()
    written = read_keyed(folder / WRITTEN) if has_written else {}
    utterances = {}
    for utt_id, text in read_keyed(folder / "text").items():
        if truecase is None:
            transcript = normalize_text(text)
        elif utt_id in written:
            transcript = natural_transcript(written[utt_id], truecase, text)
        else:
            transcript = natural_transcript(text, truecase)
        try:
            seconds = soundfile.info(wavs[utt_id]).duration
        except (soundfile.LibsndfileError, KeyError) as error:
            raise CorpusError(f"{folder}: {utt_id}: {error}") from None
        utterances[utt_id] = Utterance(wavs[utt_id], transcript, speakers[utt_id], seconds)
    return utterances


def draw_speakers(
    utterances: Mapping[str, Utterance], number: int, kept: Collection[str] = ()
) -> set[str]:
    """Speakers that training is not to have, by a hash of their names, without those of ``kept``.

    Raises:
        CorpusError: no speaker would be left for training.
    """
    speakers = {utterance.speaker for utterance in utterances.values()} - set(kept)
    if number >= len(speakers):
        raise CorpusError(f"{len(speakers)} speakers: {number} of them cannot be left out")
    return set(by_hash(speakers)[:number])


def take_hours(utterances: Mapping[str, Utterance], hours: float) -> dict[str, Utterance]:
    """Utterances that have together at most ``hours``, in the order of a hash of their names."""
    taken: dict[str, Utterance] = {}
    seconds = 0.0
    for utt_id in by_hash(utterances):
        seconds += utterances[utt_id].seconds
        if seconds > 3600 * hours:
            break
        taken[utt_id] = utterances[utt_id]
    return taken


def write_set(folder: Path, utterances: Mapping[str, Utterance]) -> str:
    """Write a data directory with ``utt2dur``; returns what is in it, for people."""
    write_data_dir(folder, utterances)
    durations = {utt_id: f"{utterances[utt_id].seconds:.3f}" for utt_id in sorted(utterances)}
    write_keyed(folder / "utt2dur", durations)
    hours = sum(utterance.seconds for utterance in utterances.values()) / 3600
    speakers = {utterance.speaker for utterance in utterances.values()}
    return f"{folder}: {len(utterances)} utterances, {len(speakers)} speakers, {hours:.2f} hours"


def write_training(
    sources: Sequence[Path], folder: Path, hours: float, truecase: Truecaser | None
) -> str:
    """Write the data directory of all sources together, at most ``hours``; as `write_set`.

    Raises:
        CorpusError: as `read_set`, or an utterance is in two sources.
    """
    together: dict[str, Utterance] = {}
    for source in sources:
        utterances = read_set(source, truecase)
        if both := sorted(utterances.keys() & together.keys()):
            raise CorpusError(f"{source}: {both[0]} is in another corpus, too")
        together |= utterances
    return write_set(folder, take_hours(together, hours))
