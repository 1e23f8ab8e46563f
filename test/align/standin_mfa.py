#!/usr/bin/env python3
"""Stands in for the program ``mfa`` in tests. It aligns nothing: words get equal shares.

It goes wrong in the ways that the real one (3.4.3) was seen to. A dictionary is a text file with
lines ``word PHONE PHONE``, an acoustic model a text file of phones.

``$STANDIN_MFA_RECORD``: a file that gets a line of JSON as soon as a call has begun its work, with
its arguments and its root folder. ``$STANDIN_MFA_HOLD``: it works until this file is there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import soundfile

AUDIO = {".wav", ".flac"}
ROOT = Path(os.environ.get("MFA_ROOT_DIR", "~/Documents/MFA")).expanduser()


def main() -> int:
    if sys.argv[1:] == ["version"]:
        print("3.4.3")
        return 0
    args = parse_arguments()
    if str(args.corpus).startswith(str(args.temporary_directory)):
        return complain(2, "Invalid value: corpus directory is in the temporary directory")
    dictionary = find_model("dictionary", args.dictionary)
    model = args.dictionary if args.command == "train" else find_model("acoustic", args.model)
    for name, path in (("dictionary", dictionary), ("acoustic model", model)):
        if path is None:
            return complain(2, f"Could not find the {name}")
    words = {line.split()[0]: line.split()[1:] for line in dictionary.read_text().splitlines()}
    phones = {phone for spelled in words.values() for phone in spelled}
    if args.command == "align":
        phones = set(model.read_text().split())
    words = {word: spelled for word, spelled in words.items() if phones.issuperset(spelled)}
    token = begin_work(args)
    record()
    try:
        utterances = load_corpus(args.corpus, words)
    except soundfile.LibsndfileError as error:
        return complain(1, f"Traceback (most recent call last):\nSoundFileError: {error}")
    while not Path(os.environ.get("STANDIN_MFA_HOLD", "/")).exists():
        time.sleep(0.02)
    if not token.exists():
        return complain(1, "sqlite3.OperationalError: attempt to write a readonly database")
    if args.command == "train":
        args.model.write_text(" ".join(sorted(phones)))
        utterances = [u for u in utterances if any(w in words for w in u["words"])]
    if args.ignore_oovs:
        utterances = [u for u in utterances if all(w in words for w in u["words"])]
    write_outputs(args, utterances, words)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("align", "train"):
        command = commands.add_parser(name)
        command.add_argument("corpus", type=Path)
        command.add_argument("dictionary", type=Path)
        command.add_argument("model", type=Path)
        if name == "align":
            command.add_argument("output_directory", type=Path)
        else:
            command.add_argument("--output_directory", type=Path, required=True)
        command.add_argument("--temporary_directory", type=Path, default=ROOT)
        command.add_argument("--output_format", default="long_textgrid")
        command.add_argument("--num_jobs", type=int, default=3)
        for flag in ("clean", "single_speaker", "include_original_text", "ignore_oovs"):
            command.add_argument(f"--{flag}", action="store_true")
    # Options that it does not know are ignored without a word.
    return parser.parse_known_args()[0]


def record() -> None:
    if path := os.environ.get("STANDIN_MFA_RECORD"):
        line = {"argv": sys.argv[1:], "root": str(ROOT)}
        with open(path, "a", encoding="utf-8") as f:
            f.write(json.dumps(line) + "\n")


def complain(status: int, message: str) -> int:
    print(message, file=sys.stderr)
    return status


def find_model(kind: str, model: Path) -> Path | None:
    named = ROOT / "pretrained_models" / kind / model.name
    return next((path for path in (model, named) if path.is_file()), None)


def begin_work(args: argparse.Namespace) -> Path:
    """A file that is there until another run with the same temporary folder begins."""
    folder = args.temporary_directory / args.corpus.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    token = folder / uuid.uuid4().hex
    token.touch()
    return token


def load_corpus(corpus: Path, dictionary: dict) -> list[dict]:
    """All utterances; one unreadable audio file ends it all."""
    utterances = []
    for path in sorted(p for p in corpus.rglob("*") if p.suffix in AUDIO):
        samples, rate = soundfile.read(path)
        lab = path.with_suffix(".lab")
        text = lab.read_text(encoding="utf-8") if lab.exists() else ""
        text = re.sub(r"\[.*?\]", "[bracketed]", text.lower())
        words = [re.sub(r"[^\w'\[\]]", "", word) for word in text.split()]
        words = [word for word in words if word]
        seconds = len(samples) / rate
        aligned = rate >= 16000 and np.any(samples) and seconds > 0.35
        utterances.append(
            {
                "path": path.relative_to(corpus),
                "words": words,
                "text": text.strip(),
                "seconds": seconds,
                "aligned": bool(words) and aligned and len(words) < 8 * seconds,
            }
        )
    return utterances


def write_outputs(args: argparse.Namespace, utterances: list[dict], dictionary: dict) -> None:
    """Outputs of earlier runs stay where they are."""
    failed = [u for u in utterances if not u["aligned"]]
    args.output_directory.mkdir(parents=True, exist_ok=True)
    with open(args.output_directory / "alignment_analysis.csv", "w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["file", "begin", "end", "speaker", "overall_log_likelihood"])
        for u in utterances:
            likelihood = -50.5 if u["aligned"] else ""
            rows.writerow([u["path"].stem, 0.0, u["seconds"], u["path"].parent.name, likelihood])
    for u, other in zip(utterances, utterances[1:] + utterances[:1], strict=True):
        if u["aligned"]:
            tiers = make_tiers(u, dictionary)
            if args.include_original_text:
                # Swapped as soon as one file failed.
                tiers["utterances"] = [(0.0, u["seconds"], (other if failed else u)["text"])]
            write_file(args, u, tiers)
    print(f"INFO Done {len(utterances) - len(failed)}, errors on {len(failed)}")


def make_tiers(utterance: dict, dictionary: dict) -> dict[str, list]:
    """Equal shares for the words, and for the phones of a word, between two silences."""
    edges = np.linspace(0.1, 0.9, len(utterance["words"]) + 1) * utterance["seconds"]
    tiers: dict[str, list] = {"words": [], "phones": []}
    for word, start, end in zip(utterance["words"], edges[:-1], edges[1:], strict=True):
        tiers["words"].append((start, end, word))
        phones = dictionary.get(word, ["spn"])
        cuts = np.linspace(start, end, len(phones) + 1)
        tiers["phones"] += list(zip(cuts[:-1], cuts[1:], phones, strict=True))
    return tiers


def write_file(args: argparse.Namespace, utterance: dict, tiers: dict[str, list]) -> None:
    path = args.output_directory / utterance["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    if args.output_format == "json":
        # Times are float32 written as float64, as MFA does.
        tiers = {
            name: {
                "type": "interval",
                "entries": [[*map(float, np.float32(times)), label] for *times, label in entries],
            }
            for name, entries in tiers.items()
        }
        content = {"start": 0, "end": utterance["seconds"], "tiers": tiers}
        path.with_suffix(".json").write_text(json.dumps(content))
        return
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += [f"0 {utterance['seconds']} <exists> {len(tiers)}"]
    for name, entries in tiers.items():
        lines += [f'"IntervalTier" "{name}" 0 {utterance["seconds"]} {len(entries)}']
        lines += [f'{start} {end} "{label}"' for start, end, label in entries]
    path.with_suffix(".TextGrid").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
