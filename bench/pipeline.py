#!/usr/bin/env python3
"""Real-time factors of alignment, encoding and distillation, peers beside them, in one run.

    python3 bench/pipeline.py --wav_scp FILE --text FILE --aligner exp/align_.../FILE.pth
        --distill_config exp/distill_.../config.yaml --feats_scp FILE --seg_dir DIR
        [--ctranslate2 FOLDER] [--json FILE]

Seconds of CPU time a second of speech, one thread, the best of ``--repeats`` turns in which all
take turns. Alignment and encoding are of ``--utterances`` utterances of 2 to 20 s of ``wav.scp``; a
search is given the network's posteriors. A distillation step is forward, backward and update of the
training's connector on features, beside a mean-pool connector. ``bench/encoding.py`` says where
CTranslate2's folder is from; ``--json`` is what ``bench/gpu_hours.py`` reads.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np  # noqa: E402 (threads are set first)
import torch  # noqa: E402
import yaml  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from align_recordings import Recording  # noqa: E402
from align_searches import OURS, PEER, PLAIN, SEARCHES, pad  # noqa: E402
from distill_step import build_model, build_step, count_seconds, load_batches  # noqa: E402
from encoding import Audio, build_systems, choose_audio  # noqa: E402

from espnet_ssr.align.abs import AlignUtterance  # noqa: E402
from espnet_ssr.align.hmm import HMMAligner  # noqa: E402
from espnet_ssr.align.trained import load_trained_aligner  # noqa: E402
from espnet_ssr.datadir import read_keyed  # noqa: E402

RATE = 16000

Job = tuple[str, str, Callable[[], object], float]
"""Step, system, what it does, and the seconds of speech it does it to."""


def encoding_jobs(audio: Audio, systems: dict) -> list[Job]:
    seconds = sum(map(len, audio.values())) / RATE
    return [
        ("encoding", name, lambda encode=encode: encode(audio), seconds)
        for name, encode in systems.items()
    ]


def alignment_jobs(audio: Audio, texts: dict[str, str], feats: Audio, aligner) -> list[Job]:
    """PocketSphinx on audio; a CTC aligner on features; searches on its posteriors."""
    seconds = sum(map(len, audio.values())) / RATE
    heard = [AlignUtterance(u, x, texts[u]) for u, x in audio.items()]
    seen = [AlignUtterance(u, feats[u], texts[u]) for u in audio]
    hmm = HMMAligner()
    recordings = []
    for utterance in seen:
        (log_probs,), _ = aligner.posteriors([utterance.signal])
        labels, _ = aligner.labels.encode(utterance.text)
        recordings.append(Recording(log_probs.numpy(), np.array(labels)))
    batch = pad(recordings)
    searches = {name: SEARCHES[name] for name in (OURS, PEER, PLAIN)}
    return [
        ("alignment", "hmm (PocketSphinx)", lambda: hmm.align_batch(heard), seconds),
        ("alignment", "char_ctc on features", lambda: aligner.align_batch(seen), seconds),
        *(
            ("of it, search", name, lambda find=find: find(recordings, batch), seconds)
            for name, find in searches.items()
        ),
    ]


def distillation_jobs(config: dict, feats_scp: str, seg_dir: Path) -> list[Job]:
    """Steps of the training's connector and of a mean-pool one with its defaults."""
    batches = load_batches(config, feats_scp, seg_dir)
    batch = batches[len(batches) // 2]
    seconds = count_seconds(batch, config["frame_rate"])
    jobs = []
    for connector in (config["connector"], "mean"):
        changed = copy.deepcopy(config) | {"connector": connector}
        if connector != config["connector"]:
            changed["connector_conf"] = {}
        step = build_step(changed, build_model(changed))
        jobs.append(("distillation step", connector, lambda step=step: step(batch), seconds))
    return jobs


def measure(jobs: list[Job], repeats: int) -> list[float]:
    """Best CPU time of each job in seconds; the first turn is not counted."""
    best = [np.inf] * len(jobs)
    for turn in range(repeats + 1):
        for i, (_, _, work, _) in enumerate(jobs):
            started = time.process_time()
            work()
            if turn:
                best[i] = min(best[i], time.process_time() - started)
    return best


def report(jobs: list[Job], times: list[float]) -> dict[str, dict[str, float]]:
    """Print the table; real-time factors by step and system."""
    factors: dict[str, dict[str, float]] = {}
    print("| step | system | real-time factor | hours of one core for 1,000 h | / first |")
    print("| --- | --- | ---: | ---: | ---: |")
    for (step, system, _, seconds), cpu in zip(jobs, times, strict=True):
        row = factors.setdefault(step, {})
        row[system] = cpu / seconds
        first = next(iter(row.values()))
        print(
            f"| {step} | {system} | {row[system]:.5f} | {1000 * row[system]:.1f} "
            f"| {row[system] / first:.2f} |"
        )
    return factors


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wav_scp", required=True, help="mono audio at 16 kHz")
    parser.add_argument("--text", required=True)
    parser.add_argument("--aligner", required=True, help="checkpoint of a CTC aligner")
    parser.add_argument("--distill_config", type=Path, required=True)
    parser.add_argument("--feats_scp", required=True, help="of the training, for its steps")
    parser.add_argument("--seg_dir", type=Path, required=True)
    parser.add_argument("--encoder", default="whisper-tiny.en")
    parser.add_argument("--ctranslate2", help="folder of the same model")
    parser.add_argument("--utterances", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = yaml.safe_load(args.distill_config.read_text())
    audio, texts = choose_audio(args.wav_scp, args.utterances), read_keyed(args.text)
    systems = build_systems(args.encoder, args.ctranslate2)
    print(
        f"{len(audio)} utterances, {sum(map(len, audio.values())) / RATE:.0f} s, {args.encoder}, "
        f"torch {torch.__version__}, one thread, load {os.getloadavg()[0]:.1f}\n"
    )
    aligner = load_trained_aligner(args.aligner)
    jobs = alignment_jobs(audio, texts, systems["ours"](audio), aligner)
    jobs += encoding_jobs(audio, systems)
    jobs += distillation_jobs(config, args.feats_scp, args.seg_dir)
    factors = report(jobs, measure(jobs, args.repeats))
    if args.json:
        args.json.write_text(json.dumps(factors, indent=2) + "\n")


if __name__ == "__main__":
    main()
