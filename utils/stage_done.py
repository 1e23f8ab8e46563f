#!/usr/bin/env python3
"""Record that a stage is done, and tell whether it is done already with the same inputs.

    stage_done.py check exp/x/.done lr=0.001 --files conf/x.yaml data/train || run_it
    stage_done.py mark  exp/x/.done lr=0.001 --files conf/x.yaml data/train

`check` exits 0 if the record has exactly these parameters and the contents of these files, and 1
if not; then it says what changed, in one line, if there is a record. A folder counts as the names
and contents of the files directly in it, without hidden ones, where such records are kept.
"""

import argparse
import hashlib
import json
import os
import sys
import time

MISSING = "missing"


class RecordError(Exception):
    """The file of a record exists, but holds no record; the message says why, in one line."""


def hash_file(path):
    """Return the SHA-256 of a file's contents, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_input(path):
    """Return a hash of a file or of the files directly in a folder; MISSING if it is neither."""
    if os.path.isfile(path):
        return hash_file(path)
    if not os.path.isdir(path):
        return MISSING
    listing = hashlib.sha256()
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        if entry.is_file() and not entry.name.startswith("."):
            listing.update(
                f"{entry.name}\0{hash_file(entry.path)}\n".encode("utf-8", "surrogateescape")
            )
    return listing.hexdigest()


def read_record(path):
    """Return a record as written by `write_record`, None if there is none.

    Raises:
        RecordError: the file is no such record.
    """
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RecordError(f"not a readable record: {error}") from error
    if not (
        isinstance(record, dict)
        and isinstance(record.get("parameters"), dict)
        and isinstance(record.get("files"), dict)
    ):
        raise RecordError("not a record of a stage")
    return record


def write_record(path, parameters, files, elapsed=None):
    """Write parameters (name: value), file hashes (path: hash), date and elapsed seconds."""
    record = {"parameters": parameters, "files": files}
    record["date"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    if elapsed is not None:
        record["elapsed_seconds"] = elapsed
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    temporary = f"{path}.tmp.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.write("\n")
    os.replace(temporary, path)


def list_changes(record, parameters, files):
    """Return what differs between a record and the present inputs, a phrase each."""
    changes = []
    for name in sorted(record["parameters"].keys() | parameters.keys()):
        old, new = (side.get(name, "not set") for side in (record["parameters"], parameters))
        if old != new:
            changes.append(f"{name}: {old} -> {new}")
    for path in sorted(record["files"].keys() | files.keys()):
        if path not in files:
            changes.append(f"{path} is no input any more")
        elif files[path] == MISSING:
            changes.append(f"file missing: {path}")
        elif path not in record["files"]:
            changes.append(f"{path} is a new input")
        elif files[path] != record["files"][path]:
            changes.append(f"{path} changed")
    return changes


def parse_arguments():
    """Parse the command line; `parameters` becomes a dict."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["check", "mark"])
    parser.add_argument("record", metavar="DONE_FILE")
    parser.add_argument("parameters", nargs="*", metavar="key=value")
    parser.add_argument("--files", nargs="*", default=[], metavar="FILE", help="files or folders")
    parser.add_argument("--elapsed", type=float, metavar="SECONDS", help="for mark: time it took")
    args = parser.parse_intermixed_args()
    for parameter in args.parameters:
        if not parameter.partition("=")[0] or "=" not in parameter:
            parser.error(f"not key=value: {parameter!r}")
    args.parameters = dict(parameter.split("=", 1) for parameter in args.parameters)
    return args


def main():
    """Check or mark; returns the exit status."""
    args = parse_arguments()
    files = {path: hash_input(path) for path in args.files}
    if args.action == "mark":
        missing = [path for path, digest in files.items() if digest == MISSING]
        if missing:
            print(f"stage_done.py: file missing: {', '.join(missing)}", file=sys.stderr)
            return 1
        write_record(args.record, args.parameters, files, args.elapsed)
        return 0
    try:
        record = read_record(args.record)
    except RecordError as error:
        print(f"{args.record}: {error}")
        return 1
    if record is None:
        return 1
    changes = list_changes(record, args.parameters, files)
    if changes:
        print(f"{args.record}: {'; '.join(changes)}")
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
