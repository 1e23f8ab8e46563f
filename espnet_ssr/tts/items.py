"""The spoken parts of choice tasks, said by voices; and lists of texts alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from espnet_ssr.align.alignment import Alignment, Span, write_ctm
from espnet_ssr.datadir import count_dropped, invert_utt2spk, replaced_dir, write_keyed
from espnet_ssr.jobs import part_of_job
from espnet_ssr.progress import Progress
from espnet_ssr.tts.cache import Clip, SpeechCache
from espnet_ssr.tts.voice import Refused, Voice

if TYPE_CHECKING:
    from espnet_ssr.evaluate.choice.item import Item, Parts

BATCH_SIZE = 16  # texts or items whose clips are checked at once


class Spoken(NamedTuple):
    """What was said, and what was not: by id, cause and message."""

    clips: dict[str, Clip]
    dropped: dict[str, str]

    def describe(self) -> str:
        """Counts and a duration, for people."""
        seconds = sum(clip.seconds for clip in self.clips.values())
        return f"{len(self.clips)} clips, {seconds:.1f} s; {count_dropped(self.dropped.values())}"


def choose_voices(
    texts: Mapping[str, str], cache: SpeechCache, all_voices: bool = False
) -> dict[str, tuple[str, Voice]]:
    """Who says which text: for each by its id, or all voices all texts, under ``voice-id``."""
    if all_voices:
        return {f"{v.name}-{i}": (text, v) for i, text in texts.items() for v in cache.voices}
    return {i: (text, cache.voices_of(i)[0]) for i, text in texts.items()}


def job_requests(
    requests: Mapping[str, tuple[str, Voice]], job: int, num_jobs: int
) -> dict[str, tuple[str, Voice]]:
    """The part of job ``job`` of ``num_jobs``. The same texts fall into the same job, and each job
    has some of every voice, as some are slower than others."""
    keys = sorted(requests, key=lambda key: (requests[key][0], requests[key][1].name))
    return {key: requests[key] for key in part_of_job(keys, job, num_jobs, BATCH_SIZE)}


def speak_texts(requests: Mapping[str, tuple[str, Voice]], cache: SpeechCache) -> Spoken:
    """Clips of texts, by id, as `SpeechCache.speak` gives them."""
    spoken, progress = Spoken({}, {}), Progress(len(requests), "speech")
    for keys in _batches(list(requests)):
        results = cache.speak([requests[key] for key in keys])
        for key, result in zip(keys, results, strict=True):
            if isinstance(result, Refused):
                spoken.dropped[key] = f"{result.cause} {result}"
            else:
                spoken.clips[key] = result
        progress.update(len(keys))
    return spoken


def write_spoken(spoken: Spoken, output_dir: Path) -> None:
    """Write a Kaldi data directory with ``utt2dur``, ``dropped`` and, of clips whose word times the
    voice knows, ``word.ctm``."""
    clips = dict(sorted(spoken.clips.items()))
    utt2spk = {key: clip.voice for key, clip in clips.items()}
    spk2utt = {name: " ".join(keys) for name, keys in invert_utt2spk(utt2spk).items()}
    with replaced_dir(output_dir) as folder:
        write_keyed(folder / "wav.scp", {key: clip.audio for key, clip in clips.items()})
        write_keyed(folder / "text", {key: clip.text for key, clip in clips.items()})
        write_keyed(folder / "utt2spk", utt2spk)
        write_keyed(folder / "spk2utt", spk2utt)
        write_keyed(folder / "utt2dur", {key: f"{clip.seconds:.3f}" for key, clip in clips.items()})
        write_keyed(folder / "dropped", dict(sorted(spoken.dropped.items())))
        times = (_align(key, clip) for key, clip in clips.items() if clip.words)
        write_ctm(folder / "word.ctm", times)


def _align(key: str, clip: Clip) -> Alignment:
    pairs = zip(clip.text.split(), clip.words, strict=True)
    return Alignment(key, [Span(word, start, end) for word, (start, end) in pairs], "word")


def speak_items(items: Sequence[Item], cache: SpeechCache) -> tuple[list[Item], dict[str, str]]:
    """Fill in the audio of the spoken parts of items.

    All parts of an item have one voice: the one that its id gives or, if that cannot say one of
    them so that it is understood, the first that can.

    Returns:
        the items that can be spoken as a whole, and why others cannot: by id, the first voice's
        cause and message.
    """
    said: dict[Item, Item] = {}
    reasons: dict[Item, str] = {}
    progress = Progress(len(items), "speech")
    for batch in _batches(items):
        waiting = batch
        for turn in range(len(cache.voices)):
            found, refused = _say(waiting, cache, turn)
            said |= found
            reasons = refused | reasons
            waiting = list(refused)
        progress.update(len(batch))
    dropped = {item.item_id: reasons[item] for item in items if item not in said}
    return [said[item] for item in items if item in said], dropped


def _say(
    items: Sequence[Item], cache: SpeechCache, turn: int
) -> tuple[dict[Item, Item], dict[Item, str]]:
    """By the voices whose turn it is: items with audio, and what is wrong with others."""
    requests = {
        (item, part.text): (part.text, cache.voices_of(item.item_id)[turn])
        for item in items
        for part in _spoken_parts(item)
    }
    results = dict(zip(requests, cache.speak(list(requests.values())), strict=True))
    said, refused = {}, {}
    for item in items:
        clips = {part.text: results[item, part.text] for part in _spoken_parts(item)}
        errors = [clip for clip in clips.values() if isinstance(clip, Refused)]
        if errors:
            refused[item] = f"{errors[0].cause} {errors[0]}"
        else:
            said[item] = _fill_in(item, clips)
    return said, refused


def _spoken_parts(item: Item) -> list:
    sides = (item.context, *item.candidates)
    return [part for parts in sides for part in parts if part.spoken]


def _fill_in(item: Item, clips: Mapping[str, Clip]) -> Item:
    def fill(parts: Parts) -> Parts:
        return tuple(p._replace(audio=clips[p.text].audio) if p.spoken else p for p in parts)

    candidates = tuple(map(fill, item.candidates))
    return replace(item, context=fill(item.context), candidates=candidates)


def _batches(sequence: Sequence) -> Iterable[Sequence]:
    return (sequence[first : first + BATCH_SIZE] for first in range(0, len(sequence), BATCH_SIZE))
