#!/usr/bin/env python3
"""Throughput of distillation in one and in two processes, each limited to one thread.

    python3 bench/ddp.py --config exp/distill_.../config.yaml --feats_scp FILE --seg_dir DIR
        [--steps 12] [--repeats 3]

The training's model in DistributedDataParallel on gloo, as ESPnet's trainer has it, on batches of
the size of its config in each process. One and two processes take turns. On a busy machine the
clock says more about the others than about us: beside utterances a second there is the CPU time of
a step in each process, of gradients' exchange too. Two processes on two free cores cannot be faster
than twice the ratio of these times, ``bound``, and are that fast but for what one waits for the
other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import torch  # noqa: E402 (threads are set first)
import torch.distributed  # noqa: E402
import yaml  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from distill_step import build_model, build_step, load_batches  # noqa: E402

WARM_UP_STEPS = 3


def work(args: argparse.Namespace) -> dict[str, float]:
    """In one of the processes: utterances, seconds, and CPU seconds of all steps."""
    rank, size, file = args.worker
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{file}", rank=int(rank), world_size=int(size)
    )
    config = yaml.safe_load(args.config.read_text())
    torch.manual_seed(0)
    step = build_step(config, build_model(config), torch.nn.parallel.DistributedDataParallel)
    batches = load_batches(config, args.feats_scp, args.seg_dir)
    # All processes do the same batches, so that none has less to do than another.
    chosen = [batches[(7 * i) % len(batches)] for i in range(args.steps)]
    for batch in chosen[:WARM_UP_STEPS]:
        step(batch)
    torch.distributed.barrier()
    started, cpu = time.perf_counter(), time.process_time()
    for batch in chosen:
        step(batch)
    torch.distributed.barrier()
    return {
        "utterances": sum(len(batch["feats"]) for batch in chosen),
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
    }


def run(args: argparse.Namespace, size: int) -> dict[str, float]:
    """Utterances a second of so many processes, and CPU seconds a step of each."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--config", args.config, "--feats_scp", args.feats_scp]
        options += ["--seg_dir", args.seg_dir, "--steps", args.steps]
        processes = [
            subprocess.Popen(
                [sys.executable, __file__, *map(str, options)]
                + ["--worker", str(rank), str(size), f"{folder}/meet"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(size)
        ]
        lines = [process.communicate()[0].splitlines() for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError("a process failed: see above")
    results = [json.loads(found[-1]) for found in lines]
    return {
        "throughput": sum(r["utterances"] for r in results) / max(r["seconds"] for r in results),
        "cpu": sum(r["cpu"] for r in results) / size / args.steps,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="of a training on features")
    parser.add_argument("--feats_scp", required=True)
    parser.add_argument("--seg_dir", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.worker:
        print(json.dumps(work(args)))
        return
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    runs = [{size: run(args, size) for size in (1, 2)} for _ in range(args.repeats)]
    best = {n: max(r[n]["throughput"] for r in runs) for n in (1, 2)}
    cpu = {n: min(r[n]["cpu"] for r in runs) for n in (1, 2)}
    print("| processes | utterances a second | ratio | CPU s a step and process | bound |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for n in (1, 2):
        print(
            f"| {n} | {best[n]:.1f} | {best[n] / best[1]:.2f} | {cpu[n]:.3f} "
            f"| {n * cpu[1] / cpu[n]:.2f} |"
        )
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
