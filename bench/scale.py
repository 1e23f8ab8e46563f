#!/usr/bin/env python3
"""Start of a training on manifests of up to 50,000 hours, beside ESPnet's own dataset and sampler.

    python3 bench/scale.py [--hours 1000 10000 50000] [--peer_hours 1000] [--folder DIR]

Utterances are like those of MLS: 10 to 20 s, 16 s on average, 2.8 tokens a second. For each number
of hours, the tables that a training reads (wav.scp, token_id, token_end and two shape files, 600
bytes an utterance: 7 GB for 50,000 hours) are made in a temporary folder and removed again; their
audio is that of 64 files, as what is measured is not the disk. Systems are processes of their own:

- start: from the call for the iterator until the first batch is there, after imports; as seconds on
  the clock and of the processor, which other jobs do not change. Of it (on the clock), shapes:
  reading them, plan: sorting utterances and cutting the order into batches.
- peak: most memory of the process, and what it was after imports.
- a worker's own: memory of a data loader's worker that it does not share, after 5 batches.
- order: of another epoch; 1,000 of its batches: what a worker is told, without reading.
- look-up: of an utterance's three lines in the tables, at random (processor).
- a batch: seconds to load one of 8,000,000 samples, in the process itself (processor).
- stage 7: making the shape files (processor).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SAMPLE_RATE = 16000
TOKENS_A_SECOND = 2.8
MEAN_SECONDS = 16.0
AUDIO_FILES = 64
BATCH_BINS = 8_000_000
TABLES = (
    ("wav.scp", "speech", "sound"),
    ("token_id", "token_id", "text_int"),
    ("token_end", "token_end", "text_float"),
)
SHAPES = ("speech_shape", "token_id_shape")
COLUMNS = {
    "hours": "{hours:,}",
    "utterances": "{utterances:,}",
    "system": "{system}",
    "tables (GB)": "{table_gb:.2f}",
    "start (s)": "{start:.1f}",
    "processor (s)": "{start_cpu:.1f}",
    "shapes (s)": "{shapes:.1f}",
    "plan (s)": "{plan:.1f}",
    "peak (GB)": "{peak_gb:.2f}",
    "after imports (GB)": "{base_gb:.2f}",
    "a worker's own (GB)": "{worker_gb:.2f}",
    "batches": "{batches:,}",
    "order (s)": "{order:.2f}",
    "1,000 batches (ms)": "{thousand_ms:.1f}",
    "look-up (ms)": "{lookup_ms:.2f}",
    "a batch (s)": "{batch:.2f}",
    "stage 7 (s)": "{stage_7:.0f}",
}
NOT_MEASURED = float("nan")


def make_audio(folder: Path, rng: np.random.Generator) -> list[tuple[int, str, str]]:
    """Write the audio files; gives samples, token ids and end times of what each of them says."""
    pool = []
    seconds = np.clip(rng.normal(MEAN_SECONDS, 2.5, AUDIO_FILES), 10, 20)
    for i, duration in enumerate(seconds + MEAN_SECONDS - seconds.mean()):
        samples = round(duration * SAMPLE_RATE)
        tone = 0.1 * np.sin(np.arange(samples) * rng.uniform(0.01, 0.1))
        soundfile.write(folder / f"{i}.flac", tone.astype(np.float32), SAMPLE_RATE)
        ids = rng.integers(1000, 10000, round(duration * TOKENS_A_SECOND))
        ends = np.sort(rng.uniform(0.2, duration, len(ids)))
        pool.append((samples, " ".join(map(str, ids)), " ".join(f"{end:.2f}" for end in ends)))
    return pool


def utt_ids(number: int) -> Iterator[str]:
    """Names in their order: of 200 utterances of a book, 10 books of a speaker."""
    for i in range(number):
        yield f"{10000 + i // 2000}_{10000 + i // 200 % 10}_{i % 200:06d}"


def make_manifest(folder: Path, hours: int) -> int:
    """Write the tables; returns the number of utterances."""
    rng = np.random.default_rng(0)
    pool = make_audio(folder, rng)
    counts = [ids.count(" ") + 1 for _, ids, _ in pool]
    number = round(hours * 3600 / MEAN_SECONDS)
    with ExitStack() as stack:
        names = [name for name, _, _ in TABLES] + [*SHAPES]
        wav, token_id, token_end, speech_shape, token_shape = (
            stack.enter_context(open(folder / name, "w", buffering=1 << 20)) for name in names
        )
        drawn = rng.integers(AUDIO_FILES, size=number).tolist()
        more = rng.integers(SAMPLE_RATE // 4, size=number).tolist()
        for utt_id, i, extra in zip(utt_ids(number), drawn, more, strict=True):
            samples, ids, ends = pool[i]
            wav.write(f"{utt_id} {folder}/{i}.flac\n")
            token_id.write(f"{utt_id} {ids}\n")
            token_end.write(f"{utt_id} {ends}\n")
            speech_shape.write(f"{utt_id} {samples + extra}\n")
            token_shape.write(f"{utt_id} {counts[i]}\n")
    return number


def training_options(folder: Path) -> list[str]:
    options = ["--batch_type", "numel", "--batch_bins", str(BATCH_BINS), "--num_workers", "0"]
    for name, kind, loader in TABLES:
        options += ["--train_data_path_and_name_and_type", f"{folder / name},{kind},{loader}"]
    for name in SHAPES:
        options += ["--train_shape_file", str(folder / name)]
    return [*options, "--output_dir", str(folder / "exp")]


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def worker_gb() -> float:
    """Memory that a child of this process shares with no other; the mean over its children."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    sizes = []
    for child in children:
        lines = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
        sizes.append(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")))
    return sum(sizes) * 1024 / 1e9 / len(sizes)


class Clock:
    """Seconds since the last reading.

    Args:
        now: gives seconds, on the clock or of the processor.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter):
        self._now, self._last = now, now()

    def __call__(self) -> float:
        last, self._last = self._last, self._now()
        return self._last - last


def measure(folder: Path, peer: bool) -> dict[str, float]:
    """Start a training in this process, as far as its first batch."""
    from espnet2.train.distributed_utils import DistributedOption

    from espnet_ssr.data import batch_plan, shapes
    from espnet_ssr.task import abs as task_abs
    from espnet_ssr.task.distill import SSRDistillTask

    args = SSRDistillTask.get_parser().parse_args(["--llm", "none", *training_options(folder)])
    found = {"base_gb": peak_gb(), "shapes": NOT_MEASURED, "plan": NOT_MEASURED}

    def timed(name: str, function):
        def call(*args, **kwargs):
            clock = Clock()
            result = function(*args, **kwargs)
            found[name] = clock()
            return result

        return call

    task_abs.read_matching_shapes = timed("shapes", shapes.read_matching_shapes)
    task_abs.plan_batches = timed("plan", batch_plan.plan_batches)
    task = espnets_own(SSRDistillTask) if peer else SSRDistillTask
    clock, processor = Clock(), Clock(time.process_time)
    factory = task.build_iter_factory(args, DistributedOption(), "train")
    iterator = factory.build_iter(1)
    next(iter(iterator))
    found |= {"start": clock(), "start_cpu": processor(), "batches": len(iterator)}
    found |= measure_order(factory, peer) | measure_reading(factory, peer)
    return found | {"worker_gb": measure_worker(factory, peer), "peak_gb": peak_gb()}


def espnets_own(task: type) -> type:
    """The task with what ESPnet reads and batches by."""
    from espnet2.tasks.abs_task import AbsTask

    class Peer(task):
        build_sequence_iter_factory = classmethod(AbsTask.build_sequence_iter_factory.__func__)

    return Peer


def measure_order(factory, peer: bool) -> dict[str, float]:
    clock = Clock()
    iterator = factory.build_iter(2)
    order = clock()
    sampler = iterator.batch_sampler if peer else iterator._loader.batch_sampler
    clock()
    batches = [batch for batch, _ in zip(sampler, range(1000), strict=False)]
    return {"order": order, "thousand_ms": 1e6 * clock() / len(batches)}


def measure_reading(factory, peer: bool) -> dict[str, float]:
    rng = np.random.default_rng(1)
    lookup = NOT_MEASURED
    if not peer:
        dataset = factory._dataset
        rows = rng.integers(len(dataset), size=2000).tolist()
        clock = Clock(time.process_time)
        for row in rows:
            utt_id = dataset._utterances.utt_id(row)
            for table in dataset._tables.values():
                table[utt_id]
        lookup = 1e3 * clock() / len(rows)
    iterator = iter(factory.build_iter(3))
    clock = Clock(time.process_time)
    for _ in range(5):
        next(iterator)
    return {"lookup_ms": lookup, "batch": clock() / 5}


def measure_worker(factory, peer: bool) -> float:
    if peer:
        factory.num_workers = 2
    else:
        factory._loader_options["num_workers"] = 2
    iterator = iter(factory.build_iter(4))
    for _ in range(5):
        next(iterator)
    return worker_gb()


def measure_stage_7(folder: Path) -> float:
    """Of the training set alone; a shape file of samples serves as ``utt2num_samples``."""
    from espnet_ssr.data.collect_shapes import Inputs, write_shapes

    clock = Clock(time.process_time)
    inputs = Inputs("speech", folder / "speech_shape", SAMPLE_RATE)
    write_shapes(folder / "stats", folder / "token_id", inputs)
    return clock()


def run_size(folder: Path, hours: int, peers: list[int]) -> Iterator[dict]:
    """Rows of the table for a number of hours."""
    number = make_manifest(folder, hours)
    size = sum((folder / name).stat().st_size for name in [t[0] for t in TABLES] + [*SHAPES])
    stage_7 = {"this": measure_stage_7(folder), "ESPnet": NOT_MEASURED}
    for system in ["this"] + ["ESPnet"] * (hours in peers):
        command = [sys.executable, __file__, "--measure", str(folder)]
        done = subprocess.run(
            command + ["--peer"] * (system == "ESPnet"), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-4000:])
        found = json.loads(done.stdout.splitlines()[-1])
        about = {"hours": hours, "utterances": number, "system": system, "table_gb": size / 1e9}
        yield about | found | {"stage_7": stage_7[system]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=int, nargs="+", default=[1000, 10000, 50000])
    parser.add_argument("--peer_hours", type=int, nargs="*", default=[1000])
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args.peer)))
        return
    print(f"| {' | '.join(COLUMNS)} |")
    print("| ---: | ---: | --- |" + " ---: |" * (len(COLUMNS) - 3), flush=True)
    for hours in args.hours:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            for row in run_size(Path(folder), hours, args.peer_hours):
                cells = [form.format(**row) for form in COLUMNS.values()]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
