"""What a number was made with: versions, machine, commit."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from espnet_ssr import __version__
from espnet_ssr.datadir import write_lines

PACKAGES = ("torch", "espnet", "transformers", "numpy", "pocketsphinx", "kaldiio")


def describe_environment() -> dict[str, str]:
    """Names and values, in the order in which they are shown."""
    return {
        "espnet_ssr": f"{__version__} (commit {git_commit()})",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{_memory_gib():.0f} GiB, {_gpu()}",
    }


def write_environment(path: str | os.PathLike, **more) -> None:
    """Write ``describe_environment()``, ``more`` and the command line as ``name: value`` lines."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = {**describe_environment(), **more, "command": shlex.join(sys.argv)}
    write_lines(path, (f"{name}: {value}" for name, value in entries.items()))


def read_environment(path: str | os.PathLike) -> dict[str, str]:
    """Read what ``write_environment`` wrote; empty if there is no such file."""
    path = Path(path)
    lines = path.read_text().splitlines() if path.is_file() else []
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def git_commit() -> str:
    """Short hash of the checkout this package runs from, ``+`` when it has uncommitted changes."""
    folder = Path(__file__).parent
    try:
        head = _git(folder, "rev-parse", "--short", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
