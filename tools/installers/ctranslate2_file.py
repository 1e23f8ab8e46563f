"""Read the ``model.bin`` of a CTranslate2 model as NumPy arrays.

Little-endian throughout: u32 file version, name, u32 revision, u32 number of variables; for each
variable its name (u16 length, NUL-ended), u8 rank, u32 sizes, u8 type, u32 number of bytes, data;
then the aliases, u32 count and pairs of names: weights stored once and used twice.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

SUPPORTED_VERSION = 6
# CTranslate2's DataType; bfloat16 (5) is left out because NumPy has no such type.
DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


class ModelFileError(ValueError):
    """The file is not a CTranslate2 model that can be read here."""


@dataclass
class ModelFile:
    """What a ``model.bin`` holds."""

    spec: str
    revision: int
    variables: dict[str, np.ndarray]
    aliases: dict[str, str]


class _Reader:
    """Typed reads that name the file when it ends too early."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream = stream
        self.path = path

    def take(self, size: int) -> bytes:
        data = self.stream.read(size)
        if len(data) < size:
            raise ModelFileError(f"{self.path}: truncated, the file ends too early")
        return data

    def integers(self, kind: str, count: int = 1) -> tuple[int, ...]:
        layout = f"<{count}{kind}"
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def integer(self, kind: str) -> int:
        return self.integers(kind)[0]

    def text(self) -> str:
        return self.take(self.integer("H")).rstrip(b"\0").decode("utf-8")

    def array(self, name: str) -> np.ndarray:
        shape = self.integers("I", self.integer("B"))
        code, size = self.integer("B"), self.integer("I")
        if code not in DTYPES:
            raise ModelFileError(f"{self.path}: {name} has unsupported type {code}")
        dtype = np.dtype(DTYPES[code])
        expected = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if size != expected:
            raise ModelFileError(f"{self.path}: {name} has {size} bytes, its shape says {expected}")
        return np.frombuffer(self.take(size), dtype=dtype).reshape(shape)


def read_model_file(path: str | Path) -> ModelFile:
    """Read all variables and aliases of a ``model.bin``."""
    path = Path(path)
    with path.open("rb") as stream:
        reader = _Reader(stream, path)
        version = reader.integer("I")
        if version != SUPPORTED_VERSION:
            raise ModelFileError(
                f"{path}: CTranslate2 file version {version}, not {SUPPORTED_VERSION}"
            )
        spec, revision, count = reader.text(), reader.integer("I"), reader.integer("I")
        variables = {}
        for _ in range(count):
            name = reader.text()
            variables[name] = reader.array(name)
        aliases = {}
        for _ in range(reader.integer("I")):
            alias = reader.text()
            aliases[alias] = reader.text()
    return ModelFile(spec, revision, variables, aliases)
