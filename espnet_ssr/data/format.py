"""Stage 3: audio of any format, rate and channels to one format, filtered by duration."""

from __future__ import annotations

import io
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from espnet_ssr.data.augment_effects import Effect, NotAugmented, apply_effects
from espnet_ssr.data.check_audio import count_missing_bytes, is_plain_wav
from espnet_ssr.data.copies import UTT2EFFECTS, UTT2SPEED, UTT2UNIQ, read_effects, read_speeds
from espnet_ssr.data.validate import TOLERANCE_SECONDS
from espnet_ssr.datadir import invert_utt2spk, read_keyed, write_keyed, write_lines
from espnet_ssr.progress import Progress


class DropUtterance(Exception):
    """The utterance is left out; the first argument is the cause, the second the details."""


@dataclass(frozen=True)
class AudioFormat:
    """What formatted audio is like: mono, 16 bit, ``sample_rate`` Hz, ``suffix`` wav or flac,
    from ``min_seconds`` to ``max_seconds``."""

    sample_rate: int = 16000
    suffix: str = "flac"
    min_seconds: float = 0.1
    max_seconds: float = 120.0


@dataclass(frozen=True)
class Recording:
    """An utterance's audio: a file, or the part ``[start, end)`` of it in seconds, played
    ``speed`` times as fast, with ``effects``, whose ``sources`` are by name."""

    path: str
    start: float = 0.0
    end: float | None = None
    speed: float = 1.0
    effects: tuple[Effect, ...] = ()
    sources: dict[str, Recording] = field(default_factory=dict)


def read_recording(recording: Recording, sample_rate: int) -> np.ndarray:
    """Read, mix to mono, resample and add the effects: samples ``(N,)``, float32. Tempo and pitch
    change together with the speed, as in sox's ``speed``.

    Raises:
        DropUtterance: missing, unreadable, truncated or not finite, or no such segment in it; see
            also ``NotAugmented``.
    """
    samples = _read_plain(recording, sample_rate)
    if not recording.effects:
        return samples

    def read_source(name: str) -> np.ndarray | None:
        try:
            return _read_plain(recording.sources[name], sample_rate)
        except DropUtterance:  # for which the source itself is left out, and counted
            return None

    try:
        return apply_effects(samples, recording.effects, sample_rate, read_source)
    except NotAugmented as error:
        raise DropUtterance(*error.args) from None


def _read_plain(recording: Recording, sample_rate: int) -> np.ndarray:
    """Without effects."""
    try:
        with soundfile.SoundFile(recording.path) as f:
            first, end = _frame_range(recording, f)
            f.seek(first)
            samples = f.read(end - first, dtype="float32", always_2d=True).mean(axis=1)
            rate, expected = f.samplerate, end - first
    # ValueError: numpy's, for a stream whose header leaves its length open.
    except (OSError, ValueError, soundfile.LibsndfileError) as error:
        raise DropUtterance("unreadable_audio", f"{recording.path}: {error}") from None
    if len(samples) < expected:
        raise DropUtterance("truncated_audio", f"{recording.path}: {len(samples)} of {expected}")
    if not np.isfinite(samples).all():
        raise DropUtterance("not_finite", f"{recording.path} has NaN or infinite samples")
    # Played s times as fast, R samples a second are s R a second.
    rate *= recording.speed
    return samples if rate == sample_rate else soxr.resample(samples, rate, sample_rate)


def _frame_range(recording: Recording, audio: soundfile.SoundFile) -> tuple[int, int]:
    """First frame of a recording and the one after its last."""
    first = round(recording.start * audio.samplerate)
    if recording.end is None:
        # libsndfile hides that a wav file is shorter than its header says.
        if is_plain_wav(audio) and (missing := count_missing_bytes(Path(recording.path))):
            raise DropUtterance("truncated_audio", f"{recording.path} ends {missing} bytes early")
        return first, audio.frames
    end = round(recording.end * audio.samplerate)
    if not 0 <= first < end:
        raise DropUtterance("bad_segment", f"{recording.start} s to {recording.end} s")
    if max(first, end - TOLERANCE_SECONDS * audio.samplerate) > audio.frames:
        raise DropUtterance("segment_past_end", f"{recording.path} ends before the segment")
    return first, min(end, audio.frames)


def format_utterances(
    utt_ids: Sequence[str],
    folder: Path,
    final_folder: Path,
    progress: Progress,
    recordings: dict[str, Recording],
    texts: dict[str, str],
    audio_format: AudioFormat,
) -> None:
    """Write the audio of a shard with its ``wav.scp``, ``utt2num_samples`` and ``dropped``."""
    wav_scp, num_samples, dropped = [], [], []
    for utt_id in utt_ids:
        try:
            if not texts.get(utt_id, "").strip():
                raise DropUtterance("empty_text", "no transcript")
            samples = read_recording(recordings[utt_id], audio_format.sample_rate)
            _check_duration(samples, audio_format)
        except DropUtterance as drop:
            dropped.append(f"{utt_id} {drop.args[0]} {drop.args[1]}")
        else:
            name = f"{utt_id.replace('/', '%2F')}.{audio_format.suffix}"
            write_audio(folder / name, samples, audio_format.sample_rate)
            wav_scp.append(f"{utt_id} {final_folder.absolute() / name}")
            num_samples.append(f"{utt_id} {len(samples)}")
        progress.update()
    write_lines(folder / "wav.scp", wav_scp)
    write_lines(folder / "utt2num_samples", num_samples)
    write_lines(folder / "dropped", dropped)


def write_audio(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write samples ``(N,)``, 16 bit, in the format of the file's ending.

    Raises:
        OSError: names the file and says what is wrong (a full disk), unlike libsndfile's.
    """
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, sample_rate, subtype="PCM_16", format=path.suffix[1:])
    try:
        path.write_bytes(encoded.getbuffer())
    except OSError as error:  # of a write, without the file's name
        raise OSError(error.errno, error.strerror, str(path)) from None


def _check_duration(samples: np.ndarray, audio_format: AudioFormat) -> None:
    seconds = len(samples) / audio_format.sample_rate
    if seconds < audio_format.min_seconds:
        raise DropUtterance("too_short", f"{seconds:.2f} s < {audio_format.min_seconds} s")
    if seconds > audio_format.max_seconds:
        raise DropUtterance("too_long", f"{seconds:.2f} s > {audio_format.max_seconds} s")


def read_recordings(data_dir: Path, keys: Container[str] | None = None) -> dict[str, Recording]:
    """Where the audio of each utterance (of ``keys`` only, if given) is: ``wav.scp`` and, if there
    are such, ``segments``, ``utt2speed`` and ``utt2effects``."""
    recordings = _read_places(data_dir, keys)
    speeds, effects = read_speeds(data_dir, recordings), read_effects(data_dir, recordings)
    names = {name for several in effects.values() for e in several for name in e.sources}
    places = _read_places(data_dir, names) if names else {}
    if missing := sorted(names - places.keys()):
        raise ValueError(f"{data_dir}: no audio of {missing[0]}, which {UTT2EFFECTS} names")
    return {
        u: replace(
            recording,
            speed=speeds[u],
            effects=(own := effects.get(u, ())),
            sources={name: places[name] for effect in own for name in effect.sources},
        )
        for u, recording in recordings.items()
    }


def _read_places(data_dir: Path, keys: Container[str] | None) -> dict[str, Recording]:
    if not (data_dir / "segments").is_file():
        wav_scp = read_keyed(data_dir / "wav.scp", keys)
        return {utt_id: Recording(path) for utt_id, path in wav_scp.items()}
    recordings = {}
    wav_scp = read_keyed(data_dir / "wav.scp")
    for utt_id, segment in read_keyed(data_dir / "segments", keys).items():
        recording_id, start, end = segment.split()
        recordings[utt_id] = Recording(wav_scp[recording_id], float(start), float(end))
    return recordings


def describe_input(recording: Recording | None, text: str) -> str:
    """What the result for an utterance depends on; another file in the same place is another."""
    if recording is None:
        return f"{recording} missing {text}"
    stamps = [_stamp(place.path) for place in (recording, *recording.sources.values())]
    return f"{recording} {' '.join(stamps)} {text}"


def _stamp(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"


def complete_data_dir(data_dir: Path, output_dir: Path, sample_rate: int) -> str:
    """Write ``text``, ``utt2spk``, ``spk2utt`` and, of a set with copies, ``utt2uniq``,
    ``utt2speed`` and ``utt2effects`` for the utterances in ``output_dir/wav.scp``.

    Returns:
        one line: how many were kept, for how many hours, and what was dropped by cause.

    Raises:
        ValueError: nothing was kept.
    """
    kept = read_keyed(output_dir / "wav.scp")
    dropped = read_keyed(output_dir / "dropped")
    if not kept:
        raise ValueError(f"{data_dir}: no usable utterance{describe_causes(dropped)}")
    names = [n for n in (UTT2UNIQ, UTT2SPEED, UTT2EFFECTS) if (data_dir / n).is_file()]
    for name in ("text", "utt2spk", *names):
        table = read_keyed(data_dir / name)
        # Not every utterance has effects.
        write_keyed(
            output_dir / name, {u: table[u] for u in kept if u in table or name != UTT2EFFECTS}
        )
    spk2utt = invert_utt2spk(read_keyed(output_dir / "utt2spk"))
    write_keyed(output_dir / "spk2utt", {s: " ".join(utts) for s, utts in spk2utt.items()})
    seconds = sum(map(int, read_keyed(output_dir / "utt2num_samples").values())) / sample_rate
    return (
        f"{output_dir}: kept {len(kept)} of {len(kept) + len(dropped)} utterances, "
        f"{seconds:.0f} s of audio{describe_causes(dropped)}"
    )


def describe_causes(dropped: dict[str, str]) -> str:
    """``"; dropped: 2 too_short (utt1, utt2)"`` from ``{utt: "cause details"}``."""
    causes: dict[str, list[str]] = {}
    for utt_id, value in dropped.items():
        causes.setdefault(value.split()[0], []).append(utt_id)
    phrases = [
        f"{len(utts)} {cause} ({', '.join(utts[:3])}{', ...' if len(utts) > 3 else ''})"
        for cause, utts in sorted(causes.items())
    ]
    return f"; dropped: {', '.join(phrases)}" if phrases else ""
