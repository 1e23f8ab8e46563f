"""Stage 6: frame features of a data directory as kaldiio archives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import kaldiio
import numpy as np
import soundfile
import torch

from espnet_ssr.batching import length_buckets
from espnet_ssr.datadir import read_audio, write_lines
from espnet_ssr.encoder.abs import AbsEncoder
from espnet_ssr.progress import Progress


def dump_utterances(
    utt_ids: Sequence[str],
    folder: Path,
    final_folder: Path,
    progress: Progress,
    encoder: AbsEncoder,
    wav_scp: dict[str, str],
    batch_seconds: float,
    compression_method: int | None,
    device: str,
) -> None:
    """Write a shard: ``feats.ark``, ``feats.scp``, ``utt2num_frames`` and ``cost``, the seconds
    of audio and of work."""
    started = time.perf_counter()
    # Of the audio and features of a shard only a batch is in memory: a recording may last an hour.
    lengths = {u: soundfile.info(wav_scp[u]).frames for u in utt_ids}
    scp, num_frames = folder / "feats.scp", {}
    for batch in length_buckets(lengths, int(batch_seconds * encoder.sample_rate)):
        audio = {u: read_audio(wav_scp[u], encoder.sample_rate) for u in batch}
        feats = encode_batch(encoder, audio, device)
        kaldiio.save_ark(
            str(folder / "feats.ark"),
            feats,
            scp=str(scp),
            append=True,
            compression_method=compression_method,
        )
        num_frames |= {u: len(f) for u, f in feats.items()}
        progress.update(len(batch))
    # The scp names the archive where it will be once the shard is complete.
    text = scp.read_text().replace(str(folder), str(final_folder.absolute()))
    lines = {line.split(maxsplit=1)[0]: line for line in text.splitlines()}
    write_lines(scp, [lines[u] for u in utt_ids])
    write_lines(folder / "utt2num_frames", (f"{u} {num_frames[u]}" for u in utt_ids))
    seconds = sum(lengths.values()) / encoder.sample_rate
    write_lines(folder / "cost", [f"{seconds:.3f} {time.perf_counter() - started:.6f}"])


def encode_batch(
    encoder: AbsEncoder, audio: dict[str, np.ndarray], device: str = "cpu"
) -> dict[str, np.ndarray]:
    """Features ``(T, D)``, float32, of each utterance's samples ``(N,)``."""
    samples = [torch.from_numpy(x).to(device) for x in audio.values()]
    speech = torch.nn.utils.rnn.pad_sequence(samples, batch_first=True)
    speech_lengths = torch.tensor([len(x) for x in samples], device=device)
    with torch.inference_mode():
        feats, feats_lengths = encoder(speech, speech_lengths)
    feats, sizes = feats.float().cpu().numpy(), feats_lengths.tolist()
    return {u: f[:n] for u, f, n in zip(audio, feats, sizes, strict=True)}


def real_time_factor(cost_file: Path) -> float:
    """Seconds of work (summed over jobs) for a second of audio, from merged ``cost`` files."""
    costs = np.loadtxt(cost_file, ndmin=2)
    return float(costs[:, 1].sum() / costs[:, 0].sum())
