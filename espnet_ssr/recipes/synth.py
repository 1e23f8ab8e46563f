"""Synthetic speech as a Kaldi data directory, from any text and one voice or several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.align.abs import Levels
from espnet_ssr.align.alignment import Alignment, Span, write_ctm
from espnet_ssr.data.format import write_audio
from espnet_ssr.datadir import (
    count_dropped,
    invert_utt2spk,
    read_keyed,
    write_keyed,
    write_lines,
)
from espnet_ssr.progress import Progress
from espnet_ssr.shards import merge_shards, run_shards
from espnet_ssr.text import normalize_text
from espnet_ssr.tts.load import load_voices
from espnet_ssr.tts.piper import merge_marks
from espnet_ssr.tts.verbalize import verbalize
from espnet_ssr.tts.voice import Phone, Reading, Refused, Voice

SHARD_SIZE = 200


class Planned(NamedTuple):
    """An utterance to be: its transcript, its normalized words, its voice (an index) and what that
    has to be given."""

    text: str
    words: str
    voice: int
    reading: Reading


class Plan(NamedTuple):
    """Utterances by id, in the order of their texts, and the texts that were refused: by id, cause
    and message."""

    utterances: dict[str, Planned]
    refused: dict[str, str]

    def describe(self) -> str:
        """Counts, for people."""
        return f"{len(self.utterances)} utterances, {count_dropped(self.refused.values())}"


def read_texts(path: Path) -> list[str]:
    """The lines of a text file; the line's number is the utterance's."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason}, byte {error.start})") from None


def make_plan(
    texts: Sequence[str],
    voices: Sequence[Voice],
    num: int | None = None,
    prefix: str = "",
    natural: bool = False,
) -> Plan:
    """Deal texts out to voices: text 1 to the first, text 2 to the second and so on, over again.

    Takes the first ``num`` texts (None: all) that their voice can read. An utterance is named after
    its voice, ``prefix`` and the number of its text, from 1. Its transcript is normalized words, or
    ``natural``: the text as it is written, but with numbers and abbreviations put into words
    (`verbalize`).

    Raises:
        ValueError: fewer than ``num`` texts (None: not one) can be used.
    """
    plan = Plan({}, {})
    for number, text in enumerate(texts):
        if len(plan.utterances) == num:
            break
        index = number % len(voices)
        utt_id = f"{voices[index].name}-{prefix}{number + 1:06d}"
        try:
            spoken = verbalize(text) if natural else text
            reading = voices[index].read(spoken)
        except Refused as error:
            plan.refused[utt_id] = f"{error.cause} {error}"
        else:
            words = normalize_text(spoken)
            transcript = spoken if natural else words
            plan.utterances[utt_id] = Planned(transcript, words, index, reading)
    if len(plan.utterances) < (num or 1):
        raise ValueError(f"too few texts, {num or 1} wanted: {plan.describe()}")
    return plan


def speak_part(
    plan: Plan,
    specs: Sequence[str],
    output_dir: Path,
    seed: int = 0,
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Speak the part of ``plan`` that belongs to job number ``job`` of ``num_jobs``.

    Audio goes to ``output_dir/shards``, where shards that are there from a former run are kept.
    Whole shards, of consecutive texts, are dealt out to jobs, so a plan of more texts keeps what
    was made for fewer. What an utterance sounds like depends on its text, its voice and ``seed``.
    """
    keys = list(plan.utterances)
    shards = [keys[first : first + SHARD_SIZE] for first in range(0, len(keys), SHARD_SIZE)]
    inputs = {
        key: plan.utterances[key].reading.text
        for shard in shards[job - 1 :: num_jobs]
        for key in shard
    }
    settings = {"voices": list(specs), "seed": seed}
    work = partial(speak_shard, plan=plan, specs=specs, seed=seed)
    run_shards(inputs, output_dir / "shards", job, settings, work, SHARD_SIZE, "synthesis")


def speak_shard(
    utt_ids: Sequence[str],
    folder: Path,
    final_folder: Path,
    progress: Progress,
    plan: Plan,
    specs: Sequence[str],
    seed: int,
) -> None:
    """Write the audio of a shard with its ``wav.scp``, ``utt2dur`` and, of voices that tell them,
    the true ``word.ctm`` and ``phone.ctm``."""
    planned = {utt_id: plan.utterances[utt_id] for utt_id in utt_ids}
    used = sorted({utterance.voice for utterance in planned.values()})
    voices = dict(zip(used, load_voices([specs[index] for index in used]), strict=True))
    wav_scp, seconds, alignments = {}, {}, []
    for utt_id, (_, spoken, index, reading) in planned.items():
        samples, words = voices[index].speak(reading, seed)
        rate = voices[index].sample_rate
        write_audio(folder / f"{utt_id}.wav", samples, rate)
        wav_scp[utt_id] = str(final_folder.absolute() / f"{utt_id}.wav")
        seconds[utt_id] = f"{len(samples) / rate:.3f}"
        if words is not None:
            alignments.append(to_alignments(utt_id, spoken, words, rate))
        progress.update()
    write_keyed(folder / "wav.scp", wav_scp)
    write_keyed(folder / "utt2dur", seconds)
    for level in ("word", "phone"):
        write_ctm(folder / f"{level}.ctm", (levels[level] for levels in alignments))


def to_alignments(utt_id: str, text: str, words: Sequence[list[Phone]], rate: int) -> Levels:
    """Times in seconds of the words of ``text`` and of their phones."""
    pairs = zip(text.split(), words, strict=True)
    spans = [Span(word, phones[0].begin / rate, phones[-1].end / rate) for word, phones in pairs]
    phones = [
        Span(phone.label, phone.begin / rate, phone.end / rate)
        for word in words
        for phone in merge_marks(word)
    ]
    return {
        "word": Alignment(utt_id, spans, "word"),
        "phone": Alignment(utt_id, phones, "phone"),
    }


def complete_set(plan: Plan, voices: Sequence[Voice], output_dir: Path) -> float:
    """Write the tables of a set that a single job spoke; returns the seconds of audio.

    ``word.ctm`` and ``phone.ctm`` are there if all voices tell the times; ``dropped`` has a line
    ``utterance cause message`` for each text refused.
    """
    times = ("word.ctm", "phone.ctm")
    for name in times:  # of a former run
        (output_dir / name).unlink(missing_ok=True)
    has_times = all(voice.has_times for voice in voices)
    names = ("wav.scp", "utt2dur", *(times if has_times else ()))
    merge_shards(output_dir / "shards", 1, names, output_dir)
    for name in names:
        sort_lines(output_dir / name)
    utterances = sorted(plan.utterances.items())
    utt2spk = {utt_id: voices[planned.voice].name for utt_id, planned in utterances}
    spk2utt = {name: " ".join(ids) for name, ids in invert_utt2spk(utt2spk).items()}
    write_keyed(output_dir / "text", {utt_id: planned.text for utt_id, planned in utterances})
    write_keyed(output_dir / "utt2spk", utt2spk)
    write_keyed(output_dir / "spk2utt", spk2utt)
    write_keyed(output_dir / "dropped", dict(sorted(plan.refused.items())))
    return sum(map(float, read_keyed(output_dir / "utt2dur").values()))


def sort_lines(path: Path) -> None:
    """Sort a text file by its first column; lines of the same key stay in their order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    write_lines(path, sorted(lines, key=lambda line: line.split(" ", 1)[0]))


def make_synth_set(
    texts: Sequence[str],
    specs: Sequence[str],
    output_dir: Path,
    num: int | None = None,
    seed: int = 0,
    prefix: str = "",
    natural: bool = False,
) -> str:
    """Make the Kaldi data directory ``output_dir`` of the first ``num`` usable texts.

    Args:
        texts: one for each utterance, dealt out to the voices as by `make_plan`.
        specs: see `load_voices`.
        prefix: of the utterances' numbers, so that those of several sets differ.
        natural: see `make_plan`.

    Returns:
        Counts and durations, for people.

    Raises:
        ValueError: as `load_voices` and `make_plan`.
    """
    voices = load_voices(specs)
    plan = make_plan(texts, voices, num, prefix, natural)
    speak_part(plan, specs, output_dir, seed)
    seconds = complete_set(plan, voices, output_dir)
    return f"{len(voices)} voices, {seconds:.1f} s, {plan.describe()}"
