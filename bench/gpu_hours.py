#!/usr/bin/env python3
"""Hours of GPUs for a corpus: what was measured on a CPU, and what follows from operations.

    python3 bench/gpu_hours.py [--measured FILE] [--hours 50000] [--peak 312] [--utilisation 0.3]

``--measured`` is the JSON of ``bench/pipeline.py``: hours of one CPU core, marked [measured]. All
that is said of GPUs is [derived]: multiplications and additions of each network a frame, over the
share ``--utilisation`` of the peak ``--peak`` (TFLOP/s; 312 is an A100 in bfloat16). A network does
two operations a frame and weight, and attention four a frame, layer and pair of channel and frame
seen; training takes three times as many as a forward pass, recomputation not counted. Reading
audio, the exchange of gradients and waiting are not in it but for ``EFFICIENCY``, an assumption.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

FRAME_RATE = 50
TRAINING = 3  # times the operations of a forward pass
GPUS = (1, 8, 32)
EFFICIENCY = {1: 1.0, 8: 0.95, 32: 0.9}
"""Assumed: throughput of so many GPUs over that of one, for each of them."""

PAPER_GPUS, PAPER_STEPS = 32, 400_000  # stage 1 of arXiv 2410.00168 on MLS English
ACIF_GPU_HOURS = 6.5  # on one A100, LibriSpeech


@dataclass(frozen=True)
class Network:
    """A Transformer on frames.

    Attributes:
        weights: that every frame meets.
        layers, width: of its attention.
        seen: frames that a frame attends to, on average.
    """

    weights: float
    layers: int
    width: int
    seen: float

    def operations(self, seconds: float) -> float:
        """Of a forward pass over so much speech."""
        attention = 4 * self.layers * self.width * self.seen
        return (2 * self.weights + attention) * seconds * FRAME_RATE


def transformer(
    layers: int, width: int, feedforward: int, ends: float = 0, seen: float = 500
) -> Network:
    """Layers of attention and feed-forward, and ``ends`` weights before and after them."""
    weights = layers * (4 * width**2 + 2 * width * feedforward) + ends
    return Network(weights, layers, width, seen)


# Utterances of 10 s, 500 frames. The convolutions of wav2vec 2.0, at up to 64 times the frame rate,
# multiply 49 M times a frame, and its positions 8 M times. A segment is 20 frames, and block
# attention sees half of them.
NETWORKS = {
    "encode: Whisper tiny": transformer(4, 384, 1536, ends=2 * 80 * 3 * 384 + 3 * 384**2),
    "encode: wav2vec 2.0, HuBERT or WavLM large": transformer(24, 1024, 4096, ends=58e6),
    "encode: Whisper large": transformer(32, 1280, 5120, ends=2 * 128 * 3 * 1280 + 3 * 1280**2),
    "align: char_ctc on features": transformer(4, 128, 256, ends=1024 * 128),
    "distil: SSR connector of conf/, LLM of width 576": transformer(
        2, 512, 1024, ends=384 * 512, seen=10
    ),
    "distil: the paper's, 4 layers of Llama 3 8B's width": transformer(
        4, 4096, 16384, ends=1024 * 4096, seen=10
    ),
}


def gpu_hours(network: Network, hours: float, passes: int, tera_flops: float) -> float:
    """Hours of one GPU for a corpus of ``hours``; ``tera_flops``: that are really done a second."""
    return passes * network.operations(3600 * hours) / (tera_flops * 1e12) / 3600


def rows(hours: float, tera_flops: float) -> list[list[str]]:
    """Cells of the table of GPUs."""
    table = []
    for name, network in NETWORKS.items():
        passes = TRAINING if name.startswith("distil") else 1
        alone = gpu_hours(network, hours, passes, tera_flops)
        table.append([name, *(f"{alone / n / EFFICIENCY[n]:.2g}" for n in GPUS)])
    return table


def print_measured(factors: dict[str, dict[str, float]], hours: float) -> None:
    print(f"Hours of one CPU core for {hours:.0f} h of speech, float32 [measured]\n")
    print("| step | system | core hours |")
    print("| --- | --- | ---: |")
    for step, systems in factors.items():
        for system, factor in systems.items():
            print(f"| {step} | {system} | {factor * hours:.3g} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measured", type=Path, help="JSON of bench/pipeline.py")
    parser.add_argument("--hours", type=float, default=50_000, help="of speech: MLS English")
    parser.add_argument("--peak", type=float, default=312, help="of a GPU, TFLOP/s")
    parser.add_argument("--utilisation", type=float, default=0.3, help="assumed share of it")
    args = parser.parse_args()
    if args.measured:
        print_measured(json.loads(args.measured.read_text()), args.hours)
    print(
        f"\nHours on the clock for one pass over {args.hours:.0f} h of speech, GPUs of "
        f"{args.peak:g} TFLOP/s of which {args.utilisation:.0%} are used [derived]\n"
    )
    print(f"| step | {' | '.join(f'{n} GPU' + 's' * (n > 1) for n in GPUS)} |")
    print(f"| --- |{' ---: |' * len(GPUS)}")
    for cells in rows(args.hours, args.peak * args.utilisation):
        print(f"| {' | '.join(cells)} |")
    tenth = PAPER_GPUS * PAPER_STEPS * 0.1 / 3600
    print(
        f"\nThe paper's stage 1: {PAPER_STEPS} steps on {PAPER_GPUS} A100, of unpublished length: "
        f"{tenth:.0f} GPU-hours for each 0.1 s of a step. ACIF: {ACIF_GPU_HOURS} h of one A100."
    )


if __name__ == "__main__":
    main()
