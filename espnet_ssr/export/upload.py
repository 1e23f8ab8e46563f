"""A folder to the Hugging Face hub, or what would be sent."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants

from espnet_ssr.datadir import write_lines


def upload(folder: Path, repo: str, report: Path) -> str | None:
    """Send a folder to a repository, which is made if it is not there: private, as its card has
    licences to be filled in.

    Args:
        folder: what is sent, but for files whose names begin with a dot.
        repo: ``owner/name``.
        report: JSON, which says what is sent to where: written first, and again when it was sent.

    Returns:
        why nothing was sent: offline, or nobody is logged in; None if all was.

    Raises:
        OSError: the hub refused or was not reached.
    """
    if not any(folder.iterdir()):
        raise FileNotFoundError(f"{folder} is empty: run stage 12")
    plan = {"repo": repo, "sent": False, "folder": str(folder), "files": list_files(folder)}
    _write(report, plan)
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    if huggingface_hub.get_token() is None:
        return "nobody is logged in to the hub ('hf auth login', or HF_TOKEN)"
    try:
        huggingface_hub.create_repo(repo, private=True, exist_ok=True)
        # Not all of a folder: only what the report lists.
        huggingface_hub.upload_folder(
            repo_id=repo, folder_path=folder, allow_patterns=[f["path"] for f in plan["files"]]
        )
    except Exception as error:
        raise OSError(f"{repo}: not sent: {error}; {report} says what would be") from error
    _write(report, {**plan, "sent": True})
    return None


def list_files(folder: Path) -> list[dict]:
    """Path, size in bytes and SHA-256 of every file of a folder, but for hidden ones."""
    paths = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return [
        {
            "path": str(path.relative_to(folder)),
            "bytes": path.stat().st_size,
            "sha256": digest(path),
        }
        for path in paths
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(report: Path, plan: dict) -> None:
    write_lines(report, [json.dumps(plan, indent=1)])
