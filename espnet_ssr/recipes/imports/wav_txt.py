"""Plain folders: ``a.wav`` with its transcript in ``a.txt``, at any depth."""

from __future__ import annotations

import os
from pathlib import Path

from espnet_ssr.progress import Progress
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports.collect import UNKNOWN_SPEAKER, Imported, make_utt_id

AUDIO = frozenset([".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".sph"])
# Known to be audio, but not to libsndfile.
OTHER_AUDIO = frozenset([".m4a", ".mp4", ".aac", ".wma", ".webm", ".amr", ".3gp", ".mka"])


def import_wav_txt(folder: Path, speakers: str = "folder") -> Imported:
    """Read a folder of audio files, each with a text file of the same name in the same folder.

    Causes of what is left out are those of `Imported.add_file`, ``no_text`` (of audio),
    ``no_audio`` (of a text), ``other_format``, ``same_name`` (two audio files for one text) and
    ``bad_utf8``.

    Args:
        speakers: ``folder``: each folder in `folder` is a speaker's; ``none``: who speaks is not
            known, or all is one speaker's.

    Raises:
        CorpusError: no such folder, or no audio in it.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder.absolute()}: no such folder")
    audio, texts = find_files(folder)
    if not audio:
        raise CorpusError(
            f"{folder.absolute()}: no audio file in it or below ({', '.join(sorted(AUDIO))})"
        )
    imported = Imported()
    progress = Progress(len(audio), f"read {folder.name}")
    for name, paths in sorted(audio.items()):
        progress.update()
        path, speaker = paths[0], find_speaker(name, speakers)
        utt_id = make_utt_id(speaker, name.removeprefix(f"{speaker}/"))
        if path.suffix.lower() in OTHER_AUDIO:
            hint = f"ffmpeg -i {path.name} {path.stem}.wav"
            imported.drop(utt_id, "other_format", f"{path} cannot be read here; convert it: {hint}")
        elif name not in texts:
            imported.drop(utt_id, "no_text", f"{path} has no {path.stem}.txt beside it")
        else:
            try:
                # Notepad begins files with a byte order mark.
                text = texts[name].read_text(encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                details = f"{texts[name]}: byte {error.start}; convert it with iconv"
                imported.drop(utt_id, "bad_utf8", details)
            else:
                imported.add_file(utt_id, " ".join(text.split()), path, speaker)
        for other in paths[1:]:
            key = f"{utt_id}{other.suffix}"
            imported.drop(key, "same_name", f"{other} is not taken, {path.name} is")
    for name in sorted(texts.keys() - audio.keys()):
        imported.drop(make_utt_id("", name), "no_audio", f"{texts[name]} has no audio beside it")
    return imported


def find_files(folder: Path) -> tuple[dict[str, list[Path]], dict[str, Path]]:
    """Audio files and text files below a folder, by their paths in it without the ending.

    Endings may be in upper case; of several audio files of a name, ``.wav`` is not the first.
    """
    audio: dict[str, list[Path]] = {}
    texts: dict[str, Path] = {}
    for root, _, names in os.walk(folder, followlinks=True):
        for name in sorted(names):
            path = Path(root, name)
            key = path.relative_to(folder).with_suffix("").as_posix()
            suffix = path.suffix.lower()
            if name.startswith("."):  # of other systems: "._a.wav"
                continue
            if suffix in AUDIO or suffix in OTHER_AUDIO:
                audio.setdefault(key, []).append(path)
            elif suffix == ".txt":
                texts[key] = path
    return audio, texts


def find_speaker(name: str, speakers: str) -> str:
    """Who speaks a file, by its path without the ending; see `import_wav_txt`."""
    first, slash, _ = name.partition("/")
    return first if slash and speakers == "folder" else UNKNOWN_SPEAKER
