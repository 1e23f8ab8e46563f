#!/usr/bin/env python3
"""What it does to tokens that Whisper's audio is not padded to 30 s.

    python3 bench/padding.py --config exp/distill_mean_.../config.yaml --seg_name seg_hmm_...
        [--train dump/train] [--test dump/test]

The connector of the configuration is trained on features of audio as it is and of padded audio, and
each is tested on both: share of the test set's tokens whose embedding is the nearest. Same seed,
same batches in the same order; the learning rate is constant.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import kaldiio
import numpy as np
import torch
import yaml
from distill_step import Batch, build_model, build_step, load_batches
from encoding import Encode, build_systems

from espnet_ssr.datadir import read_audio, read_keyed
from espnet_ssr.encoder import WhisperEncoder
from espnet_ssr.model.distill import SSRDistillModel

SYSTEMS = {"as it is": "ours", "padded": "padded to 30 s"}


def encode_set(encode: Encode, data_dir: Path, folder: Path) -> str:
    """Write features of a set; returns their scp file."""
    folder.mkdir(parents=True)
    rate = WhisperEncoder.sample_rate
    audio = {u: read_audio(path, rate) for u, path in read_keyed(data_dir / "wav.scp").items()}
    scp = str(folder / "feats.scp")
    kaldiio.save_ark(str(folder / "feats.ark"), encode(audio), scp=scp)
    return scp


@torch.inference_mode()
def token_accuracy(model: SSRDistillModel, batches: list[Batch]) -> float:
    """Share of tokens whose embedding is the nearest of the vocabulary to the vector."""
    model.eval()
    right = total = 0
    for batch in batches:
        found = model.connect(
            batch["token_end"],
            batch["token_id_lengths"],
            feats=batch["feats"],
            feats_lengths=batch["feats_lengths"],
        )
        rows = zip(found.embeds, batch["token_id"], batch["token_id_lengths"], strict=True)
        for vectors, ids, number in rows:
            nearest = model.embedding.nearest(vectors[:number])
            right += int((nearest == ids[:number]).sum())
            total += int(number)
    return right / total


def train(config: dict, batches: list[Batch], seed: int) -> SSRDistillModel:
    torch.manual_seed(seed)
    model = build_model(config)
    step = build_step(config, model)
    order = np.random.default_rng(seed)
    for _ in range(config["max_epoch"]):
        for index in order.permutation(len(batches)):
            step(batches[index])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--config", required=True, help="of a distilled connector")
    parser.add_argument("--seg_name", required=True, help="folder of segments in each set")
    parser.add_argument("--train", type=Path, default="dump/train")
    parser.add_argument("--test", type=Path, default="dump/test")
    parser.add_argument("--encoder_model", default="whisper-tiny.en")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    config = yaml.safe_load(Path(args.config).read_text(encoding="utf-8"))
    encoders = build_systems(args.encoder_model, None)
    batches: dict[str, dict[str, list[Batch]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, system in SYSTEMS.items():
            batches[name] = {}
            for part in (args.train, args.test):
                scp = encode_set(encoders[system], part, Path(folder, name, part.name))
                batches[name][part.name] = load_batches(config, scp, part / args.seg_name)
    print("| trained on audio | " + " | ".join(f"tested {name}" for name in SYSTEMS) + " |")
    print("| --- |" + " ---: |" * len(SYSTEMS))
    for trained in SYSTEMS:
        model = train(config, batches[trained][args.train.name], args.seed)
        found = [token_accuracy(model, batches[tested][args.test.name]) for tested in SYSTEMS]
        print(f"| {trained} | " + " | ".join(f"{accuracy:.3f}" for accuracy in found) + " |")


if __name__ == "__main__":
    main()
