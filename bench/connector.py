#!/usr/bin/env python3
"""Time and memory of every connector, forward and backward, at 5, 30 and 300 s of features.

    python3 bench/connector.py [--seconds 5 30 300] [--repeats 5] [--connectors ssr mean ...]
        [--device cuda] [--dtype bfloat16]

Default options, in training mode, on one utterance of Whisper-sized features (384 at 50 Hz) cut
into random segments of 0.4 s on average. Every row is a process of its own. Memory is the growth of
its peak: of what is resident, or of what CUDA has allocated. Time is the best of the repeats; on a
CPU it is the process's, of all its threads, so that other processes do not count: set
OMP_NUM_THREADS=1.

``masked`` is the SSR connector with a T x T mask. Then the SSR connector is compared with the mean
connector: whole, and at the same width without what its Transformer layers alone take on as many
frames in rows of equal length.
"""

from __future__ import annotations

import argparse
import inspect
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from masked_attention import MaskedConnector  # noqa: E402 (the path is set first)

from espnet_ssr.align.labels import CharLabels  # noqa: E402
from espnet_ssr.align.trained import LABELS_FILE, build_network  # noqa: E402
from espnet_ssr.connector import CONNECTORS, AbsConnector, SSRConnector  # noqa: E402
from espnet_ssr.connector.transformer import attend_rows  # noqa: E402

INPUT_SIZE, OUTPUT_SIZE = 384, 576  # of Whisper tiny and of SmolLM2-135M
FRAME_RATE = 50
FRAMES_A_SEGMENT = 20
FRAMES_A_ROW = 25  # of the layers alone; whole seconds are whole rows
# The mask alone has (50 * seconds)^2 entries: at 300 s it and the scores are GBs.
LONGEST_MASKED = 100
VARIANTS = {**CONNECTORS, "masked": MaskedConnector}
del VARIANTS["ctc_hull"]  # its aligner knows an LLM's tokens; what it costs is in ctc_compress
HEADER = """
| connector | parameters (M) | speech (s) | ms a second | MiB a second |
| --- | ---: | ---: | ---: | ---: |"""


def build(name: str, **options) -> AbsConnector:
    """A connector with its defaults, and with an untrained aligner if it needs one."""
    class_ = VARIANTS[name]
    with tempfile.TemporaryDirectory() as folder:
        if "aligner" in inspect.signature(class_).parameters:
            options["aligner"] = save_aligner(Path(folder))
        return class_(INPUT_SIZE, OUTPUT_SIZE, **options)


def save_aligner(folder: Path) -> str:
    """The checkpoint of an untrained CTC aligner of characters, in ``folder``."""
    labels = CharLabels.build(["abcdefghijklmnopqrstuvwxyz '"])
    network = build_network("ctc", {}, INPUT_SIZE, labels)
    config = {"aligner": "ctc", "aligner_conf": {}, "input_size": INPUT_SIZE}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    labels.save(folder / LABELS_FILE)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, folder / "model.pth")
    return str(folder / "model.pth")


def make_input(seconds: int, device: str) -> tuple[torch.Tensor, ...]:
    """One utterance as the arguments of a connector; the last segment ends with it."""
    generator = torch.Generator().manual_seed(0)
    frames = seconds * FRAME_RATE
    feats = torch.randn(1, frames, INPUT_SIZE, generator=generator)
    inner = torch.randperm(frames - 1, generator=generator)[: frames // FRAMES_A_SEGMENT - 1]
    token_end = torch.cat([inner.sort().values, torch.tensor([frames - 1])])[None]
    lengths = torch.tensor([frames]), torch.tensor([token_end.size(1)])
    return tuple(x.to(device) for x in (feats, lengths[0], token_end, lengths[1]))


def connector_step(connector: AbsConnector, seconds: int, device: str) -> Callable[[], None]:
    """Forward and backward of a connector."""
    batch = make_input(seconds, device)

    def step() -> None:
        output = connector(*batch)
        sum(output.losses.values(), output.embeds.float().sum()).backward()

    return step


def layers_step(connector: SSRConnector, seconds: int, device: str) -> Callable[[], None]:
    """Forward and backward of the connector's layers alone, on rows of equal length; the last
    layer is read out at the end of each row."""
    size = connector.output.in_features
    x = torch.randn(seconds * FRAME_RATE, size, device=device, requires_grad=True)
    read = torch.arange(FRAMES_A_ROW - 1, len(x), FRAMES_A_ROW, device=device)
    everything = torch.ones(1, 1, 1, FRAMES_A_ROW, dtype=torch.bool, device=device)

    def attend(query, key_value):
        rows = (packed.unflatten(0, (len(read), -1)) for packed in (query, key_value))
        mask = everything if len(query) == len(read) else None
        return attend_rows(*rows, mask).flatten(0, 1)

    def step() -> None:
        states = x
        for layer in connector.layers[:-1]:
            states = layer(states, attend)
        connector.layers[-1](states, attend, read).float().sum().backward()

    return step


class Meter:
    """Times and memory of steps on a device."""

    def __init__(self, device: str, dtype: torch.dtype):
        self._cuda = device == "cuda"
        self._autocast = torch.autocast(device, dtype, enabled=dtype != torch.float32)

    def run(self, step: Callable[[], None]) -> float:
        """Do a step; how many seconds it takes."""
        started = self._now()
        with self._autocast:
            step()
        return self._now() - started

    def peak_mib(self) -> float:
        if self._cuda:
            return torch.cuda.max_memory_allocated() / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

    def _now(self) -> float:
        if not self._cuda:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def measure(meter: Meter, name: str, seconds: int, repeats: int, device: str) -> dict[str, float]:
    """Seconds, MiB and parameters of one connector at one length, in this process."""
    connector = build(name).to(device)
    # First on little: libraries' start-up is not the connector's cost.
    meter.run(connector_step(connector, 1, device))
    step, before = connector_step(connector, seconds, device), meter.peak_mib()
    best = min(meter.run(step) for _ in range(repeats))
    parameters = sum(p.numel() for p in connector.parameters() if p.requires_grad)
    return {"time": best, "memory": meter.peak_mib() - before, "parameters": parameters}


def compare(meter: Meter, seconds: int, repeats: int, device: str) -> dict[str, float]:
    """Seconds of what SSR and mean are compared by, in turns, as the machine may be busy."""
    ssr = build("ssr").to(device)
    narrow = build("mean", hidden_size=ssr.output.in_features).to(device)
    steps = {
        "ssr": connector_step(ssr, seconds, device),
        "layers": layers_step(ssr, seconds, device),
        "mean": connector_step(build("mean").to(device), seconds, device),
        "narrow": connector_step(narrow, seconds, device),
    }
    rounds = [{name: meter.run(step) for name, step in steps.items()} for _ in range(repeats + 1)]
    return {name: min(times[name] for times in rounds[1:]) for name in steps}


def in_a_process(args: argparse.Namespace, what: str, seconds: int) -> dict[str, float]:
    """``measure`` or, for ``what`` "compare", ``compare`` in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, "--seconds", str(seconds)]
    command += ["--repeats", str(args.repeats), "--device", args.device, "--dtype", args.dtype]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def print_table(args: argparse.Namespace) -> None:
    print(HEADER)
    for name in args.connectors:
        for seconds in args.seconds:
            if name == "masked" and seconds > LONGEST_MASKED:
                print(f"| {name} | | {seconds} | not run: T x T does not fit | |")
                continue
            cost = in_a_process(args, name, seconds)
            print(
                f"| {name} | {cost['parameters'] / 1e6:.2f} | {seconds} "
                f"| {1000 * cost['time'] / seconds:.2f} | {cost['memory'] / seconds:.2f} |",
                flush=True,
            )


def print_comparison(args: argparse.Namespace) -> None:
    print("\nSSR beside mean, ms a second of speech:\n")
    print("| speech (s) | ssr | mean | ratio | ssr less its layers | mean, ssr's width | ratio |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for seconds in args.seconds:
        times = in_a_process(args, "compare", seconds)
        ssr, layers, mean, narrow = (
            1000 * times[name] / seconds for name in ("ssr", "layers", "mean", "narrow")
        )
        print(
            f"| {seconds} | {ssr:.2f} | {mean:.2f} | {ssr / mean:.1f} "
            f"| {ssr - layers:.2f} | {narrow:.2f} | {(ssr - layers) / narrow:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, nargs="+", default=[5, 30, 300])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--connectors", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        torch.manual_seed(0)
        meter = Meter(args.device, getattr(torch, args.dtype))
        job = args.seconds[0], args.repeats, args.device
        compared = args.measure == "compare"
        print(json.dumps(compare(meter, *job) if compared else measure(meter, args.measure, *job)))
        return
    device = torch.cuda.get_device_name() if args.device == "cuda" else "CPU"
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {device}, {args.dtype}")
    print_table(args)
    print_comparison(args)


if __name__ == "__main__":
    main()
