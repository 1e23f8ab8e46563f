"""An order that is any order, but the same one everywhere: by hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def by_hash(names: Iterable[str]) -> list[str]:
    """Names or texts in the order of their hashes."""
    return sorted(names, key=_digest)


def hash_number(name: str) -> int:
    """A number from 0 to 2^64 - 1 for a name or text."""
    return int.from_bytes(_digest(name)[:8], "big")


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
