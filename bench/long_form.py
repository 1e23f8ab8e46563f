#!/usr/bin/env python3
"""Time and memory of every step on recordings of 10 minutes and of an hour.

    python3 bench/long_form.py --wav_scp FILE --text FILE [--aligner exp/align_.../FILE.pth]
        [--seconds 600 3600] [--hmm]

A recording is the utterances in a row, round again until it is long enough. Encoding
(``WhisperEncoder``), CTC alignment (``--aligner``) of the text with made-up features, which cost
what real ones do, the SSR connector, forward, on such features and segments of 0.4 s. Each row
is a process of its own; memory is the growth of its peak resident size, its input not counted, and
time is CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np  # noqa: E402 (threads are set first)
import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from espnet_ssr.align.abs import AbsAligner, AlignError, AlignUtterance  # noqa: E402
from espnet_ssr.align.hmm import HMMAligner  # noqa: E402
from espnet_ssr.align.trained import load_trained_aligner  # noqa: E402
from espnet_ssr.connector import SSRConnector  # noqa: E402
from espnet_ssr.datadir import read_audio, read_keyed  # noqa: E402
from espnet_ssr.encoder import WhisperEncoder  # noqa: E402
from espnet_ssr.encoder.dump import encode_batch  # noqa: E402

RATE = 16000
FRAME_RATE = 50
FEATS_SIZE, LLM_SIZE = 384, 576  # of Whisper tiny and SmolLM2-135M
FRAMES_A_SEGMENT = 20


def join_recording(wav_scp: str, text: str, seconds: float) -> tuple[np.ndarray, str]:
    """Samples of utterances in a row, of so many seconds at least, and their text."""
    texts, parts, words, size = read_keyed(text), [], [], 0
    utterances = [(path, texts[u]) for u, path in read_keyed(wav_scp).items() if u in texts]
    while size < seconds * RATE:
        path, transcript = utterances[len(parts) % len(utterances)]
        parts.append(read_audio(path, RATE))
        words.append(transcript)
        size += len(parts[-1])
    return np.concatenate(parts), " ".join(words)


def make_feats(seconds: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.standard_normal((seconds * FRAME_RATE, FEATS_SIZE), dtype=np.float32)


def prepare(step: str, seconds: int, args: argparse.Namespace):
    """What a step does, as a function without arguments."""
    if step == "encode":
        encoder = WhisperEncoder()
        samples, _ = join_recording(args.wav_scp, args.text, seconds)
        return lambda: encode_batch(encoder, {"u": samples[: seconds * RATE]})
    if step == "align":
        _, text = join_recording(args.wav_scp, args.text, seconds)
        utterance = AlignUtterance("u", make_feats(seconds), text)
        return partial(align, load_trained_aligner(args.aligner), utterance)
    if step == "hmm":
        utterance = AlignUtterance("u", *join_recording(args.wav_scp, args.text, seconds))
        return partial(align, HMMAligner(), utterance)
    connector = SSRConnector(FEATS_SIZE, LLM_SIZE).eval()
    feats = torch.from_numpy(make_feats(seconds))[None]
    ends = torch.arange(FRAMES_A_SEGMENT - 1, feats.size(1), FRAMES_A_SEGMENT)[None]
    lengths = torch.tensor([feats.size(1)]), torch.tensor([ends.size(1)])
    return lambda: connector(feats, lengths[0], ends, lengths[1])


def align(aligner: AbsAligner, utterance: AlignUtterance) -> None:
    (result,) = aligner.align_batch([utterance])
    if isinstance(result, AlignError):
        raise result


@torch.no_grad()
def measure(step: str, seconds: int, args: argparse.Namespace) -> dict[str, float]:
    """CPU seconds and MiB of one step, in this process; libraries have started before."""
    prepare(step, 20, args)()
    work = prepare(step, seconds, args)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of what came before
    before, started = peak_mib(), time.process_time()
    work()
    return {"time": time.process_time() - started, "memory": peak_mib() - before}


def peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--aligner", help="checkpoint of a CTC aligner")
    parser.add_argument("--hmm", action="store_true", help="align by PocketSphinx, nothing else")
    parser.add_argument("--seconds", type=int, nargs="+", default=[600, 3600])
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.measure:
        print(json.dumps(measure(args.measure, args.seconds[0], args)))
        return
    steps = ["encode", *(["align"] if args.aligner else []), "connect"]
    if args.hmm:
        steps = ["hmm"]
    print("| step | speech (s) | CPU time (s) | real-time factor | memory (MiB) | MiB a minute |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for step in steps:
        for seconds in args.seconds:
            command = [sys.executable, __file__, "--measure", step, "--seconds", str(seconds)]
            command += ["--wav_scp", args.wav_scp, "--text", args.text]
            command += ["--aligner", args.aligner] if args.aligner else []
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            cost = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {step} | {seconds} | {cost['time']:.1f} | {cost['time'] / seconds:.4f} "
                f"| {cost['memory']:.0f} | {60 * cost['memory'] / seconds:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
