"""Miniature corpora in the layouts in which they are published."""

from __future__ import annotations

from pathlib import Path

from sounds import write_noise, write_tone

SPEECHOCEAN762_SPEAKERS = {"train": ["0001", "0005", "0026"], "test": ["0003", "9997"]}
TIMIT_SPEAKERS = ("TRAIN/DR1/FCJF0", "TEST/DR1/FAKS0", "TEST/DR1/MDAB0", "TEST/DR4/FSSB0")


def write_ljspeech(folder: Path, num_clips: int = 10) -> Path:
    """LJSpeech-1.1 in a folder; texts differ from what is printed, and from each other."""
    lines = []
    for number in range(1, num_clips + 1):
        clip = f"LJ001-{number:04d}"
        write_tone(folder / "LJSpeech-1.1" / "wavs" / f"{clip}.wav", rate=22050)
        lines.append(f'{clip}|In 14{number:02d} "Dr." A|In the year "Doctor" {"A" * number}\n')
    (folder / "LJSpeech-1.1" / "metadata.csv").write_text("".join(lines))
    return folder


def write_speechocean762(folder: Path) -> Path:
    """The corpus with two utterances of each speaker; tabs and spaces are as it has them."""
    for part, speakers in SPEECHOCEAN762_SPEAKERS.items():
        lines: dict[str, list[str]] = {"wav.scp": [], "text": [], "utt2spk": []}
        for speaker in speakers:
            for number in (1, 2):
                utt_id = f"0{speaker}{number:04d}"
                wav = f"WAVE/SPEAKER{speaker}/{utt_id}.WAV"
                write_tone(folder / wav)
                lines["wav.scp"].append(f"{utt_id}\t{wav}\n")
                lines["text"].append(f"{utt_id}\tWE CALL IT BEAR\n")
                lines["utt2spk"].append(f"{utt_id} {speaker}\n")
        (folder / part).mkdir(parents=True)
        for name, found in lines.items():
            (folder / part / name).write_text("".join(found))
    return folder


def write_timit(folder: Path) -> Path:
    """TIMIT with a sentence of a speaker of each set, audio as RIFF."""
    for speaker in TIMIT_SPEAKERS:
        stem = folder / "TIMIT" / speaker / "SX37"
        write_tone(stem.with_suffix(".WAV"), seconds=1)
        stem.with_suffix(".WRD").write_text("2400 5600 She\n5600 9000 had\n")
        stem.with_suffix(".PHN").write_text("0 2400 h#\n2400 4000 sh\n4000 9000 iy\n")
    return folder


def write_commonvoice(folder: Path) -> Path:
    """Common Voice with a clip of each of two speakers in train, dev and test."""
    for name in ("train", "dev", "test"):
        rows = ["client_id\tpath\tsentence"]
        for speaker in ("ff", "0a"):
            clip = f"common_voice_en_{name}{speaker}.mp3"
            write_tone(folder / "en" / "clips" / clip, seconds=1, rate=32000)
            rows.append(f"{speaker * 64}\t{clip}\tWell done.")
        (folder / "en" / f"{name}.tsv").write_text("\n".join(rows) + "\n")
    return folder


def write_wav_txt(folder: Path, num_utterances: int = 10) -> Path:
    """A plain folder of two speakers, audio and text side by side; no texts are near copies."""
    for number in range(num_utterances):
        stem = folder / f"speaker {number % 2}" / f"clip {number}"
        write_tone(stem.with_suffix(".wav"), seconds=0.5, rate=8000, channels=2)
        letter = chr(ord("a") + number)
        stem.with_suffix(".txt").write_text(f"{number} {letter}n {letter}t, {letter}s.\n")
    return folder


def write_librispeech(corpus_dir: Path, part: str, speakers: range) -> None:
    """A part of LibriSpeech, two utterances a speaker."""
    for speaker in speakers:
        folder = corpus_dir / "LibriSpeech" / part / f"{speaker}" / "7"
        lines = []
        for number in range(2):
            write_noise(folder / f"{speaker}-7-{number:04d}.flac", 0.5 + number)
            lines.append(f"{speaker}-7-{number:04d} NUMBER {'ONE' if number else 'TWO'} OF ALL\n")
        (folder / f"{speaker}-7.trans.txt").write_text("".join(lines))


def write_mls(part_dir: Path, speaker: int) -> None:
    """A part of MLS with three utterances of a speaker."""
    lines = []
    for number, word in enumerate(("two", "three", "four")):
        utt_id = f"{speaker}_77_{number:06d}"
        write_noise(part_dir / "audio" / f"{speaker}" / "77" / f"{utt_id}.flac", 1.0)
        lines.append(f"{utt_id}\tthe number is {word}\n")
    (part_dir / "transcripts.txt").write_text("".join(lines))
