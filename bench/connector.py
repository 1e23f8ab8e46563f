#!/usr/bin/env python3
"""Time and memory of block attention, packed and masked, for 10, 100 and 1000 s of features.

    python3 bench/connector.py [--seconds 10 100 1000] [--repeats 3]

Forward and backward of the default SSR connector (2 layers, width 512) on Whisper-sized features
(384 at 50 Hz) cut into random segments of 0.4 s on average. Every measurement is a process of its
own: memory is the growth of its peak resident size, time the best of the repeats.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from masked_attention import masked_block_vectors  # noqa: E402 (the path is set first)

from espnet_ssr.connector import SSRConnector  # noqa: E402

FRAME_RATE = 50
FRAMES_A_SEGMENT = 20
# The mask alone has (50 * seconds)^2 entries: at 1000 s, with the scores, tens of GB.
LONGEST_MASKED = 200


def make_input(seconds: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features ``(T, 384)`` and increasing last frames ``(M,)``, the last one ``T - 1``."""
    generator = torch.Generator().manual_seed(0)
    frames = seconds * FRAME_RATE
    feats = torch.randn(frames, 384, generator=generator)
    inner = torch.randperm(frames - 1, generator=generator)[: frames // FRAMES_A_SEGMENT - 1]
    return feats, torch.cat([inner.sort().values, torch.tensor([frames - 1])])


def packed_block_vectors(connector, feats, token_end):
    lengths = torch.tensor([len(feats)]), torch.tensor([len(token_end)])
    return connector(feats[None], lengths[0], token_end[None], lengths[1]).embeds[0]


VARIANTS = {"packed": packed_block_vectors, "masked": masked_block_vectors}


def measure(variant: str, seconds: int, repeats: int) -> dict[str, float]:
    """Seconds and MiB of one variant at one length, in this process."""
    torch.manual_seed(0)
    connector = SSRConnector(384, 576, "block", 512, 2, 8, 1024, 0.0)
    feats, token_end = make_input(seconds)
    # First on little: libraries' start-up is not the connector's cost.
    VARIANTS[variant](connector, *make_input(1)).sum().backward()
    before, times = peak_mib(), []
    for _ in range(repeats):
        started = time.perf_counter()
        VARIANTS[variant](connector, feats, token_end).sum().backward()
        times.append(time.perf_counter() - started)
    return {"time": min(times), "memory": peak_mib() - before}


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", choices=VARIANTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args.seconds[0], args.repeats)))
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print("| attention | features (s) | time (s) | ms a second | memory (MiB) | MiB a second |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for variant in VARIANTS:
        for seconds in args.seconds:
            if variant == "masked" and seconds > LONGEST_MASKED:
                print(f"| {variant} | {seconds} | not run: T x T does not fit | | | |")
                continue
            command = [sys.executable, __file__, "--measure", variant]
            command += ["--seconds", str(seconds), "--repeats", str(args.repeats)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            cost = json.loads(done.stdout)
            print(
                f"| {variant} | {seconds} | {cost['time']:.3f} | "
                f"{1000 * cost['time'] / seconds:.2f} | {cost['memory']:.0f} | "
                f"{cost['memory'] / seconds:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
