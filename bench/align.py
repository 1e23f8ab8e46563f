#!/usr/bin/env python3
"""Time and memory of forced alignment: our searches, ctc-segmentation, a plain Python search.

    python3 bench/align.py [--model exp/align_.../valid.loss.best.pth --feats_scp FILE --text FILE]

One core. Recordings are utterances in a row, posteriors and texts alike, until they are as long as
wanted: a batch of eight of each length of 2 to 30 s, and one of an hour. The posteriors are those
of ``--model`` on ``--feats_scp``, or made up. Searches take turns, and a time is the best of
``--repeats`` turns (of one where that took 20 s); posteriors, padding and compilation are not in
it. Memory is the growth of the peak resident size in a process of its own. "Same start" is the
share of labels that start within a frame of where our exact search has them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# Before NumPy and torch start their threads.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np  # noqa: E402 (threads are set first)
import torch  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from align_recordings import Recording, join, load_recordings, make_recordings  # noqa: E402
from align_searches import CTC_SEARCHES, OURS, PLAIN, SEARCHES, pad  # noqa: E402

BATCH_SIZE = 8
LONGEST_OF_BATCH = 60
SLOW_SECONDS = 20
MOST_PLAIN_CELLS = 10**8
HEADER = """
| recordings | search | time (s) | real-time factor | time / ours | memory (MiB) | same start |
| ---: | --- | ---: | ---: | ---: | ---: | ---: |"""


def measure_times(
    recordings: Sequence[Recording], names: Sequence[str], repeats: int
) -> dict[str, tuple[float, list[np.ndarray]]]:
    """Best time in seconds and the starts that were found, by search."""
    batch = pad(recordings)
    found = {}
    for turn in range(repeats):
        for name in names:
            best = found[name][0] if turn > 0 else np.inf
            if turn > 0 and best > SLOW_SECONDS:
                continue
            began = time.perf_counter()
            starts = SEARCHES[name](recordings, batch)
            found[name] = min(best, time.perf_counter() - began), starts
    return found


def measure_memory(name: str, recording: Recording) -> dict[str, float]:
    """In this process: seconds of a first call on little, MiB of a call on the recording."""
    little = [Recording(recording.log_probs[:100], recording.labels[:5])]
    batch, little_batch = pad([recording]), pad(little)
    began = time.perf_counter()
    SEARCHES[name](little, little_batch)
    first_call = time.perf_counter() - began
    # Imports had a peak of their own: forget it.
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_mib()
    SEARCHES[name]([recording], batch)
    return {"first_call": first_call, "memory": peak_mib() - before}


def peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure_apart(name: str, recording: Recording, **env: str) -> dict[str, float]:
    """``measure_memory`` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "recording.npz")
        np.savez(path, log_probs=recording.log_probs, labels=recording.labels)
        command = [sys.executable, __file__, "--measure", name, path]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | env
        )
    return json.loads(done.stdout.splitlines()[-1])


def report_length(recordings: Sequence[Recording], repeats: int, plain_rate: float) -> float:
    """Print the rows of one length.

    Args:
        plain_rate: seconds a cell of the plain search on shorter recordings, for where it would
            take hours.

    Returns:
        the same, measured here if it could be.
    """
    seconds, cells = (sum(getattr(r, name) for r in recordings) for name in ("seconds", "cells"))
    names = [name for name in SEARCHES if name != PLAIN or cells < MOST_PLAIN_CELLS]
    found = measure_times(recordings, names, repeats)
    our_time, our_starts = found[OURS]

    def row(name: str, time: str, best: float, memory: str, same: str) -> None:
        length = f"{len(recordings)} x {seconds / len(recordings):.1f} s"
        factors = f"{best / seconds:.2g} | {best / our_time:.1f}"
        print(f"| {length} | {name} | {time} | {factors} | {memory} | {same} |", flush=True)

    for name, (best, starts) in found.items():
        apart = len(recordings) == 1
        memory = f"{measure_apart(name, recordings[0])['memory']:.0f}" if apart else ""
        same = f"{same_starts(starts, our_starts):.1%}" if name in CTC_SEARCHES else ""
        row(name, f"{best:.4f}", best, memory, same)
    if PLAIN in names:
        return found[PLAIN][0] / cells
    row(PLAIN, "not run", plain_rate * cells, f"its table: {8 * cells / 2**20:.0f}", "")
    return plain_rate


def same_starts(found: Sequence[np.ndarray], ours: Sequence[np.ndarray]) -> float:
    return float(np.mean(np.abs(np.concatenate(found) - np.concatenate(ours)) <= 1))


def report_compilation(recording: Recording) -> None:
    """Print what the first call costs with and without numba's cache."""
    with tempfile.TemporaryDirectory() as cache:
        first, second = (
            measure_apart(OURS, recording, NUMBA_CACHE_DIR=cache)["first_call"] for _ in range(2)
        )
    print(f"\n{OURS}: compiled in {first:.1f} s, once; loaded from the cache in {second:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="checkpoint of a CTC aligner")
    parser.add_argument("--feats_scp", help="features of the utterances")
    parser.add_argument("--text", help="their transcripts")
    parser.add_argument("--seconds", type=int, nargs="+", default=[2, 5, 10, 20, 30, 3600])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.measure:
        name, path = args.measure
        arrays = np.load(path)
        recording = Recording(arrays["log_probs"], arrays["labels"])
        print(json.dumps(measure_memory(name, recording)))
        return
    if args.model:
        utterances = load_recordings(args.model, args.feats_scp, args.text)
    else:
        utterances = make_recordings()
    source = args.model or "made up"
    print(
        f"{len(utterances)} utterances, posteriors: {source}, torch {torch.__version__}, one core"
    )
    report(utterances, args.seconds, args.repeats)


def report(utterances: Sequence[Recording], lengths: Sequence[int], repeats: int) -> None:
    """Print the table."""
    warm_up = [join(utterances, 0, 1)]
    measure_times(warm_up, list(SEARCHES), 1)
    print(HEADER)
    plain_rate = float("nan")
    for seconds in sorted(lengths):
        size = BATCH_SIZE if seconds <= LONGEST_OF_BATCH else 1
        recordings = [join(utterances, b * len(utterances) // size, seconds) for b in range(size)]
        plain_rate = report_length(recordings, repeats, plain_rate)
    report_compilation(warm_up[0])


if __name__ == "__main__":
    main()
