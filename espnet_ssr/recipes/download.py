"""Fetching corpora: archives of gigabytes to terabytes, over connections that break.

A file is whole or not there: it grows as ``<name>.part`` and is renamed when its size and its
checksum are right. An interrupted download goes on where it ended, an interrupted extraction
begins again.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import logging
import re
import shutil
import ssl
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from espnet_ssr.progress import Progress

MEGABYTE = 1 << 20
TIMEOUT = 60  # seconds without a byte
CUT_SHORT = (
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
    http.client.HTTPException,
    urllib.error.URLError,
)
DAMAGED = (tarfile.TarError, zlib.error, EOFError)


class DownloadError(RuntimeError):
    """A file cannot be had, or is not what it should be; the message has the way out."""


def download(
    url: str,
    path: Path,
    md5: str | None = None,
    sha256: str | None = None,
    retries: int = 5,
) -> None:
    """Fetch a file, unless it is there: what is at ``path`` is taken to be whole.

    A connection that breaks is taken up again, after 1, 2, 4, ... seconds, as often as anything
    comes through; ``retries`` are those in vain.

    Args:
        url: http, https, ftp or file.
        path: its folder is made.
        md5, sha256: what the file should have, in hexadecimal digits.

    Raises:
        DownloadError: the server refuses it or cannot be reached, or the checksum is wrong.
        OSError: the disk has no room for it, or cannot be written to.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    logging.info("fetching %s", url)
    in_vain = 0
    while True:
        before = _size(part)
        try:
            _fetch(url, part)
            break
        except CUT_SHORT as error:
            in_vain = 0 if _size(part) > before else in_vain + 1
            code = getattr(error, "code", 503)  # of an HTTPError; 429: too many requests
            if in_vain > retries or (code < 500 and code != 429):
                raise DownloadError(
                    f"{url}: {error}; run again to go on, or get the file elsewhere and put it "
                    f"at {path}"
                ) from error
            logging.warning("%s: %s; trying again", url, error)
            time.sleep(2 ** max(0, in_vain - 1))
    _verify(url, part, {"md5": md5, "sha256": sha256})
    part.replace(path)
    _tag_file(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tag_file(part: Path) -> Path:
    """Where the server's name of the version that ``part`` is of is kept."""
    return part.with_name(f"{part.name}.tag")


def _fetch(url: str, part: Path) -> None:
    """Append to ``part`` what it lacks, all of it where the server cannot give a part.

    Raises:
        one of CUT_SHORT: some of it is still missing.
    """
    size, tag_file = _size(part), _tag_file(part)
    headers = {"Range": f"bytes={size}-"} if size else {}
    if size and tag_file.exists():
        # Another version by now is sent from its beginning, not appended to this one.
        headers["If-Range"] = tag_file.read_text()
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # there is nothing behind the end of the part
            raise
        if error.headers.get("Content-Range") == f"bytes */{size}":
            return
        part.unlink()  # it is longer than the file
        return _fetch(url, part)
    with response:
        size = size if getattr(response, "status", None) == 206 else 0
        tag = response.headers.get("ETag", "")
        if tag.startswith('"'):  # weak ones do not tell versions apart byte by byte
            tag_file.write_text(tag)
        total = size + int(response.headers.get("Content-Length") or 0)
        _check_room(part, total - size)
        progress = Progress(total // MEGABYTE, f"{part.stem} (MB)", size // MEGABYTE)
        with open(part, "ab" if size else "wb") as file:
            while chunk := response.read(MEGABYTE):
                file.write(chunk)
                progress.update()
    if _size(part) < total:
        raise http.client.IncompleteRead(b"", total - _size(part))


def _check_room(path: Path, num_bytes: int) -> None:
    """Raise OSError if the disk has less than ``num_bytes`` left."""
    free = shutil.disk_usage(path.parent).free
    if num_bytes > free:
        raise OSError(
            errno.ENOSPC,
            f"{num_bytes / 1e9:.1f} GB are to come, {free / 1e9:.1f} GB are free",
            str(path),
        )


def _verify(url: str, part: Path, sums: dict[str, str | None]) -> None:
    """Remove ``part`` and raise DownloadError unless it has these checksums (None: any)."""
    for algorithm, wanted in sums.items():
        if wanted is None:
            continue
        digest = hashlib.new(algorithm)
        progress = Progress(_size(part) // MEGABYTE, f"{algorithm} of {part.stem} (MB)")
        with open(part, "rb") as file:
            while chunk := file.read(MEGABYTE):
                digest.update(chunk)
                progress.update()
        if digest.hexdigest() != wanted.lower():
            part.unlink()
            raise DownloadError(
                f"{url}: its {algorithm} is {digest.hexdigest()}, not {wanted}: it was damaged on "
                "the way, or is another version; it was removed: run again to fetch it anew"
            )


def extract(archive: Path, folder: Path) -> None:
    """Unpack a tar file, compressed or not, into ``folder``, unless that was done.

    Files are those of the archive byte by byte, but none is written outside of ``folder``, and
    none gets rights that data does not need (PEP 706). Memory does not grow with the archive.

    Raises:
        DownloadError: the archive is damaged, or wants to write elsewhere.
    """
    if is_extracted(archive.name, folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    logging.info("unpacking %s", archive)
    progress = Progress(_size(archive) // MEGABYTE, f"unpack {archive.name} (MB)")
    try:
        with open(archive, "rb") as file, tarfile.open(fileobj=file, mode="r|*") as tar:
            while (member := tar.next()) is not None:
                tar.extract(member, folder, filter="data")
                tar.members.clear()  # tarfile keeps all it has seen: gigabytes, of MLS
                progress.update(file.tell() // MEGABYTE - progress.done)
    except DAMAGED as error:
        raise DownloadError(
            f"{archive}: cannot be unpacked ({error}): remove it and run again to fetch it anew"
        ) from error
    _marker(archive.name, folder).touch()


def _marker(name: str, folder: Path) -> Path:
    return folder / f".{name}.extracted"


def is_extracted(name: str, folder: Path) -> bool:
    """Whether `extract` has unpacked the archive of this name into ``folder``, to its end."""
    return _marker(name, folder).exists()


def fetch_archive(
    url: str, folder: Path, md5: str | None = None, sha256: str | None = None
) -> None:
    """`download` a tar file into ``folder``, `extract` it there and remove it, unless that was
    done.

    Raises:
        DownloadError, OSError: see there.
    """
    name = re.split("[?#]", url)[0].rsplit("/", 1)[-1]
    if is_extracted(name, folder):
        return
    download(url, folder / name, md5, sha256)
    extract(folder / name, folder)
    (folder / name).unlink()
