"""A packed folder for ``SpeechLM``, and the same as the zip file of ESPnet's tools."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

from espnet2.main_funcs import pack_funcs

from espnet_ssr.export.card import SPEECH_LM, write_card
from espnet_ssr.speech_lm.folder import CONFIG, MODEL, ModelFiles, pack
from espnet_ssr.speech_lm.load import find_encoder, read_training

META = "meta.yaml"


def pack_model(files: ModelFiles, folder: Path, archive: Path) -> None:
    """Write a folder with a model card, and its archive.

    Args:
        folder: as in ``espnet_ssr.speech_lm.pack``.
        archive: ``.zip``; ``espnet2.main_funcs.pack_funcs.unpack`` and ``SpeechLM`` read it.

    Raises:
        ValueError: it is not known which encoder there is.
    """
    args = read_training(files)
    find_encoder(files, args)
    pack(files, folder)
    write_card(files, args, folder, SPEECH_LM)
    zip_folder(folder, archive)


def zip_folder(folder: Path, archive: Path) -> None:
    """Write ESPnet's archive of a packed folder, whole or not at all; the folder gets the
    ``meta.yaml`` that ESPnet's tools look for on the hub."""
    (folder / META).unlink(missing_ok=True)
    others = sorted(
        p.relative_to(folder)
        for p in folder.rglob("*")
        if p.is_file() and p.relative_to(folder) not in (Path(CONFIG), Path(MODEL))
    )
    temporary = archive.with_name(f".{archive.stem}.tmp.zip").absolute()
    try:
        # Names in the archive are relative to the working directory.
        with contextlib.chdir(folder):
            pack_funcs.pack(
                {"model_file": MODEL}, {"train_config": CONFIG}, temporary, option=others
            )
        with zipfile.ZipFile(temporary) as packed:
            packed.extract(META, folder)
        temporary.replace(archive)
    finally:
        temporary.unlink(missing_ok=True)
