#!/usr/bin/env python3
"""What it costs to cut long recordings: Whisper's features at the seams, and tokens that are lost.

    python3 bench/seams.py --wav_scp FILE [--model exp/distill_.../FILE.pth --seg_dir DIR]

The utterances of ``wav.scp`` in a row are one recording. First table: 30 s of it, encoded whole and
in windows of 10 s; the relative error of frames (of what is left of them when the mean frame is
taken off; median), near a seam and away from it. Whisper adds positions to what it hears: a window
that counts from its own start differs everywhere, so the errors are also given for windows that
count as the whole does, where nothing but the missing context differs. Second table, with
``--model``: nearest-token accuracy of a connector on the recording's features, given the ends of
its segments (``token_end`` and ``token_id`` in ``--seg_dir``), beside the utterances by themselves.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402 (threads are set first)
import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from espnet_ssr.connector.segments import seconds_to_frames  # noqa: E402
from espnet_ssr.datadir import read_audio, read_keyed  # noqa: E402
from espnet_ssr.encoder import WhisperEncoder  # noqa: E402
from espnet_ssr.encoder.whisper import MEL_FRAMES_A_FRAME, encode_windows  # noqa: E402
from espnet_ssr.evaluate.files import read_token_ids  # noqa: E402
from espnet_ssr.model.distill import SSRDistillModel  # noqa: E402
from espnet_ssr.task.distill import SSRDistillTask  # noqa: E402
from espnet_ssr.windows import Windows  # noqa: E402

WHOLE_SECONDS = 30
NEAR_SECONDS = 0.2
AWAY_SECONDS = 1.0


def encode(encoder: WhisperEncoder, samples: torch.Tensor) -> torch.Tensor:
    """Features ``(T, D)``."""
    return encoder(samples[None], torch.tensor([len(samples)]))[0][0]


@torch.inference_mode()
def encode_in_place(encoder: WhisperEncoder, samples: torch.Tensor) -> torch.Tensor:
    """The same, with windows that count positions from the start of the recording."""
    mel, positions = encoder.log_mel(samples), encoder.encoder.embed_positions.weight
    whole, frames = positions.data, []
    for window in encoder.windows.cut(-(-len(mel) // MEL_FRAMES_A_FRAME)):
        positions.data = whole[window.begin :]
        part = encode_windows(encoder.encoder, [encoder.windows.read(mel, window)])[0]
        frames.append(part[window.kept])
    positions.data = whole
    return torch.cat(frames)


def seam_errors(
    found: torch.Tensor, whole: torch.Tensor, windows: Windows, frame_rate: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Relative errors of the frames near a seam, and of those away from all."""
    error = (found - whole).norm(dim=1) / (whole - whole.mean(0)).norm(dim=1)
    seams = [w.begin + w.kept.start for w in windows.cut(len(whole))[1:]]
    middle = torch.arange(len(whole)) + 0.5
    distance = torch.stack([(middle - s).abs() for s in seams]).min(0).values / frame_rate
    return error[distance < NEAR_SECONDS], error[distance > AWAY_SECONDS]


def report_seams(
    encoder: WhisperEncoder, recording: torch.Tensor, window: float, contexts: Sequence[float]
) -> None:
    size = WHOLE_SECONDS * encoder.sample_rate
    clips = [c for c in recording.split(size) if len(c) == size]
    wholes = [encode(encoder, clip) for clip in clips]
    print(f"\n{len(clips)} x {WHOLE_SECONDS} s in windows of {window:g} s\n")
    print("| context (s) | windows | at seams | away | own positions: at seams | away |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for context in contexts:
        encoder.windows = encoder.make_windows(window, context)
        cells = []
        for function in (encode_in_place, encode):
            errors = [
                seam_errors(function(encoder, clip), whole, encoder.windows, encoder.frame_rate)
                for clip, whole in zip(clips, wholes, strict=True)
            ]
            cells += [torch.cat(kind).median().item() for kind in zip(*errors, strict=True)]
        number = len(encoder.windows.cut(len(wholes[0])))
        print(f"| {context:g} | {number} | {' | '.join(f'{c:.3f}' for c in cells)} |", flush=True)


class Segmented(NamedTuple):
    """An utterance: samples ``(N,)``, token ids ``(M,)`` and their ends ``(M,)`` in seconds."""

    samples: torch.Tensor
    ids: torch.Tensor
    ends: torch.Tensor


def read_segmented(seg_dir: Path, audio: dict[str, torch.Tensor]) -> list[Segmented]:
    """Utterances that have segments."""
    ids, ends = read_token_ids(seg_dir / "token_id"), read_keyed(seg_dir / "token_end")
    times = {u: torch.tensor([float(t) for t in row.split()]).double() for u, row in ends.items()}
    return [Segmented(x, torch.tensor(ids[u]), times[u]) for u, x in audio.items() if u in times]


def join(utterances: Sequence[Segmented], sample_rate: int) -> Segmented:
    """The recording of utterances in a row."""
    starts = np.cumsum([0, *(len(u.samples) for u in utterances)])[:-1] / sample_rate
    return Segmented(
        torch.cat([u.samples for u in utterances]),
        torch.cat([u.ids for u in utterances]),
        torch.cat([u.ends + start for u, start in zip(utterances, starts, strict=True)]),
    )


def count_right(
    model: SSRDistillModel, encoder: WhisperEncoder, utterance: Segmented
) -> torch.Tensor:
    """How many segments have a vector that is nearest to their token's embedding."""
    feats = encode(encoder, utterance.samples)
    lengths, frames = torch.tensor([len(utterance.ids)]), torch.tensor([len(feats)])
    last = seconds_to_frames(utterance.ends[None], lengths, frames, model.frame_rate)[0]
    return (model.embedding.nearest(model.connect_one(feats, last)) == utterance.ids).sum()


def report_accuracy(
    model: SSRDistillModel,
    encoder: WhisperEncoder,
    utterances: Sequence[Segmented],
    contexts: Sequence[float],
) -> None:
    recording = join(utterances, encoder.sample_rate)
    seconds = [len(u.samples) / encoder.sample_rate for u in utterances]
    total = len(recording.ids)
    print(
        f"\n{len(utterances)} utterances of at most {max(seconds):.1f} s, together "
        f"{sum(seconds):.0f} s and {total} tokens\n"
    )
    print("| windows (s) | context (s) | nearest-token accuracy |")
    print("| ---: | ---: | ---: |")
    alone = sum(count_right(model, encoder, u) for u in utterances)
    print(f"| each utterance by itself | | {alone / total:.3f} |", flush=True)
    for window in (30, 20, 10, 5):
        for context in (c for c in contexts if 2 * c < window):
            encoder.windows = encoder.make_windows(window, context)
            share = count_right(model, encoder, recording) / total
            print(f"| {window} | {context:g} | {share:.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument("--encoder", default="whisper-tiny.en")
    parser.add_argument("--clips", type=int, default=12, help="of 30 s, for the first table")
    parser.add_argument("--window", type=float, default=10, help="seconds, for the first table")
    parser.add_argument("--contexts", type=float, nargs="+", default=[0, 0.5, 1, 2, 3, 4])
    parser.add_argument("--model", type=Path, help="of ssr_distill_train")
    parser.add_argument("--seg_dir", type=Path, help="segments of the utterances")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    encoder = WhisperEncoder(args.encoder)
    scp = read_keyed(args.wav_scp)
    audio = {u: torch.from_numpy(read_audio(p, encoder.sample_rate)) for u, p in scp.items()}
    recording = torch.cat(list(audio.values()))[: args.clips * WHOLE_SECONDS * encoder.sample_rate]
    report_seams(encoder, recording, args.window, args.contexts)
    if args.model:
        model, _ = SSRDistillTask.build_model_from_file(
            args.model.parent / "config.yaml", args.model
        )
        utterances = read_segmented(args.seg_dir, audio)
        report_accuracy(model.eval(), encoder, utterances, args.contexts)


if __name__ == "__main__":
    main()
