"""Which files a model consists of: of an experiment, or packed into a folder of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import yaml

from espnet_ssr.align import ALIGNERS
from espnet_ssr.align.trained import LABELS_FILE
from espnet_ssr.conf import build_from_conf
from espnet_ssr.datadir import replaced_dir, write_lines

DESCRIPTION = "speech_lm.yaml"
CONFIG = "config.yaml"
MODEL = "model.pth"
DICTIONARY = "pronunciations.dict"


@dataclass(frozen=True)
class ModelFiles:
    """A trained model and what it needs beside it; in a packed folder, its ``speech_lm.yaml``.

    Attributes:
        model_file: checkpoint of ``ssr_distill_train`` or ``ssr_lm_train``.
        config: ``config.yaml`` of that training.
        llm: a folder, a folder's name below ``$SSR_MODELS``, or a hub id; None: the training's.
        encoder: name of the encoder whose features were extracted beforehand; None: the config says
            it, as it was trained on audio.
        encoder_conf: options of that encoder.
        aligner: checkpoint of ``ssr_align_train``, or one of ``ALIGNERS``.
        aligner_conf: options of one of ``ALIGNERS``.
        aligner_encoder_conf: options of the encoder that differ for the aligner's features
            (``layer: 3``); None: it takes the connector's.
        connector_aligner: the aligner in a connector (``ctc_compress``, ``ctc_hull``); None: the
            config names it.
        dictionary: pronunciations of a hull head; None: the config names them.
        head_conf: options of a hull head that inference may set otherwise than the training:
            ``sharpness``, ``prior_weight``, ``top_k``.
        prefix_space: of the segments that were trained on (``ssr_segment``).
        textless_unit: of segments without a transcript: ``word`` or ``token`` (see ``Segmenter``).
        max_pause: longer pauses are cut down to this, in seconds, as the training's were
            (``ssr_segment``); None: they are kept.
        prompts: task -> template, beside the training's.
    """

    model_file: Path
    config: Path
    llm: str | None = None
    encoder: str | None = None
    encoder_conf: dict = field(default_factory=dict)
    aligner: str | None = None
    aligner_conf: dict = field(default_factory=dict)
    aligner_encoder_conf: dict | None = None
    connector_aligner: str | None = None
    dictionary: str | None = None
    head_conf: dict = field(default_factory=dict)
    prefix_space: bool = True
    textless_unit: str = "word"
    max_pause: float | None = None
    prompts: dict[str, str] = field(default_factory=dict)


def find_model(name: str | os.PathLike, **options) -> ModelFiles:
    """The files of a model.

    Args:
        name: a checkpoint with ``config.yaml`` beside it; or a packed folder, on disk, zipped (it
            is unpacked into ``~/.cache/espnet_ssr``) or on the hub (``owner/name``; fetched into
            the hub's cache).
        options: attributes of ``ModelFiles`` to set, or to set otherwise.

    Raises:
        FileNotFoundError: there is no such model, or a file of it is missing.
        ValueError: an option is unknown, or a zip file damaged.
    """
    path = Path(name).expanduser()
    if path.is_file() and path.suffix != ".zip":
        files = build_from_conf(
            ModelFiles, {"model_file": path, "config": path.parent / CONFIG, **options}, "SpeechLM"
        )
    else:
        folder = path if path.is_dir() else _unzip(path) if path.is_file() else _fetch(str(name))
        files = build_from_conf(ModelFiles, {**_read(folder), **options}, str(folder / DESCRIPTION))
    for needed in (files.model_file, files.config):
        if not Path(needed).is_file():
            raise FileNotFoundError(f"{name}: no file {needed}")
    return files


def _unzip(archive: Path) -> Path:
    """What is in an archive, in a folder that is named after its content."""
    with open(archive, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "espnet_ssr"
    folder = cache / digest[:16]
    if not folder.exists():
        if not zipfile.is_zipfile(archive):
            raise ValueError(f"{archive}: no zip file, or a damaged one")
        with replaced_dir(folder) as new, zipfile.ZipFile(archive) as packed:
            packed.extractall(new)
    return folder


def _fetch(name: str) -> Path:
    if name.startswith(("/", ".", "~")) or name.count("/") != 1:
        raise FileNotFoundError(
            f"no model {name!r}: no checkpoint, no folder and no hub id (owner/name)"
        )
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name))


def _read(folder: Path) -> dict:
    """``speech_lm.yaml`` with whole paths."""
    if not (folder / DESCRIPTION).is_file():
        raise FileNotFoundError(
            f"{folder}: no {DESCRIPTION}, so it is no packed model; of an experiment, give the "
            "checkpoint (.../valid.loss.ave.pth)"
        )
    options = yaml.safe_load((folder / DESCRIPTION).read_text(encoding="utf-8"))
    for name in ("model_file", "config"):
        options[name] = folder / options[name]
    for name in ("aligner", "connector_aligner", "dictionary"):
        if options.get(name) and options[name] not in ALIGNERS:
            options[name] = str(folder / options[name])
    return options


def pack(files: ModelFiles, folder: str | os.PathLike) -> None:
    """Copy a model into a folder, whole or not at all; the encoder and the LLM are only named.

    Args:
        folder: may be a packed folder, which is replaced.

    Raises:
        FileExistsError: it is another folder.
        FileNotFoundError: an aligner or a dictionary is not there.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / DESCRIPTION).is_file():
        raise FileExistsError(f"{folder} is there already and no packed model")
    config = yaml.safe_load(Path(files.config).read_text(encoding="utf-8"))
    inner = files.connector_aligner or (config.get("connector_conf") or {}).get("aligner")
    dictionary = files.dictionary or (config.get("head_conf") or {}).get("dictionary")
    with replaced_dir(folder) as new:
        shutil.copyfile(files.config, new / CONFIG)
        shutil.copyfile(files.model_file, new / MODEL)
        packed = replace(
            files,
            model_file=MODEL,
            config=CONFIG,
            llm=files.llm or config["llm"],
            aligner=_copy_aligner(files.aligner, new, "aligner"),
            connector_aligner=_copy_aligner(inner, new, "connector_aligner"),
            dictionary=dictionary and shutil.copyfile(dictionary, new / DICTIONARY).name,
        )
        description = yaml.safe_dump(asdict(packed), sort_keys=False, allow_unicode=True)
        write_lines(new / DESCRIPTION, description.splitlines())


def _copy_aligner(aligner: str | None, new: Path, name: str) -> str | None:
    """What ``load_trained_aligner`` reads, into a folder ``name`` of its own; returns the
    checkpoint's new name."""
    if aligner is None or aligner in ALIGNERS:
        return aligner
    checkpoint = Path(aligner)
    (new / name).mkdir()
    for file in (checkpoint, checkpoint.parent / CONFIG, checkpoint.parent / LABELS_FILE):
        shutil.copyfile(file, new / name / (MODEL if file == checkpoint else file.name))
    return f"{name}/{MODEL}"
