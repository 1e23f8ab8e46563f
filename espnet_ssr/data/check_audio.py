"""Finding audio files that cannot be used: unreadable, cut short, empty, at a wrong rate."""

from pathlib import Path
from typing import NamedTuple

import soundfile

UNKNOWN_SIZES = {0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF}  # as written by encoders to a pipe
PLAIN_SUBTYPES = {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"}
BLOCK_FRAMES = 1 << 20


class AudioFault(NamedTuple):
    """What is wrong with a file: a cause in one word, a sentence for people, and what to do."""

    cause: str
    message: str
    fix: str


def is_plain_wav(audio) -> bool:
    """Whether the size of a file is known from its header, here `soundfile.info` of it."""
    return audio.format in ("WAV", "WAVEX") and audio.subtype in PLAIN_SUBTYPES


def count_missing_bytes(path: Path) -> int:
    """Return how many bytes the data chunk of a RIFF wav file promises beyond the file's end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(12)
        while True:
            header = file.read(8)
            if len(header) < 8:
                return 0
            length = int.from_bytes(header[4:], "little")
            if header[:4] == b"data":
                return 0 if length in UNKNOWN_SIZES else max(0, file.tell() + length - size)
            file.seek(length + length % 2, 1)


def count_frames(path: Path) -> int:
    """Decode the whole file; returns its number of frames.

    Raises:
        soundfile.LibsndfileError: decoding fails.
    """
    total = 0
    with soundfile.SoundFile(path) as file:
        # Not file.blocks(): its blocks are full even where the file ends early.
        while frames := len(file.read(BLOCK_FRAMES, dtype="int16")):
            total += frames
    return total


def check_audio(path: Path, fs: int | None) -> tuple[float, AudioFault | None]:
    """Check one audio file against the wanted sampling rate `fs` (Hz; None: any).

    Wav files of plain samples are not decoded: their header is compared with the size of the
    file. Others are decoded, since only that shows where they end.

    Returns:
        The duration in seconds, 0 where it is unknown, and the first fault found or None.
    """
    if not path.is_file():
        return 0.0, AudioFault("missing_audio", f"no file {path}", "correct the path")
    copy_again = "copy or download it again"
    if path.stat().st_size == 0:
        return 0.0, AudioFault("empty_audio", f"{path} has no bytes", copy_again)
    try:
        info = soundfile.info(path)
        missing_bytes = count_missing_bytes(path) if is_plain_wav(info) else 0
    except (soundfile.LibsndfileError, OSError) as error:
        return 0.0, AudioFault("unreadable_audio", f"{path}: {error}", copy_again)
    if missing_bytes:
        message = f"{path} ends {missing_bytes} bytes early"
        return info.duration, AudioFault("truncated_audio", message, copy_again)
    if info.frames == 0:
        return 0.0, AudioFault("empty_audio", f"{path} has no samples", copy_again)
    if fs and info.samplerate != fs:
        message = f"{path} has {info.samplerate} Hz instead of {fs}"
        return info.duration, AudioFault("wrong_rate", message, "resample it, or set --fs")
    if not is_plain_wav(info):
        try:
            frames = count_frames(path)
        except soundfile.LibsndfileError as error:
            message = f"{path} cannot be decoded to its end: {error}"
            return info.duration, AudioFault("truncated_audio", message, copy_again)
        if frames < info.frames:
            message = f"{path} has {frames} of the {info.frames} samples that its header promises"
            return info.duration, AudioFault("truncated_audio", message, copy_again)
    return info.duration, None
