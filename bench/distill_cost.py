#!/usr/bin/env python3
"""What a step of distillation costs, by what it is made of: CPU milliseconds a second of speech.

Each row changes one thing of the row that it is compared with. Batches of random features, 4 s an
utterance, 2.75 tokens a second; process time of one thread, the least of some steps.

    bench/distill_cost.py --llm SmolLM2-135M-Instruct-q4_1
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field

import torch

from espnet_ssr.connector import CONNECTORS
from espnet_ssr.llm.embedding import EmbeddingSpace, load_embedding_matrix
from espnet_ssr.markdown import table
from espnet_ssr.model.distill import SSRDistillModel
from espnet_ssr.model.head import set_head

FRAME_RATE, FRAMES, TOKENS, WIDTH = 50.0, 200, 11, 384
LINEAR_LOSSES = {"cosine": 1.0, "mse": 1.0, "info_nce": 0.3}
BLOCK = {"pooling": "mean", "hidden_size": 512, "num_layers": 2, "feedforward_size": 1024}


@dataclass(frozen=True)
class Row:
    """A model and a batch of it; ``seconds`` of speech in a batch."""

    connector: str = "ssr"
    conf: dict = field(default_factory=dict)
    head: str = "hull"
    head_conf: dict = field(default_factory=dict)
    seconds: int = 72


ROWS = {
    "mean-pool MLP, linear head": Row("mean", head="linear"),
    "SSR, linear head": Row(conf=BLOCK, head="linear"),
    "SSR, hull head": Row(conf=BLOCK),
    "frames merged by 2": Row(conf={**BLOCK, "merge": 2}),
    "frames merged by 4": Row(conf={**BLOCK, "merge": 4}),
    "merged by 4, narrower feed-forward (512)": Row(
        conf={**BLOCK, "merge": 4, "feedforward_size": 512}
    ),
    "merged by 4, narrower (384)": Row(conf={**BLOCK, "merge": 4, "hidden_size": 384}),
    "merged by 4, one layer": Row(conf={**BLOCK, "merge": 4, "num_layers": 1}),
    "merged by 4, one layer over segments": Row(conf={**BLOCK, "merge": 4, "segment_layers": 1}),
    "the same, batch twice as large": Row(
        conf={**BLOCK, "merge": 4, "segment_layers": 1}, seconds=144
    ),
    "the same, keys of both kinds": Row(
        conf={**BLOCK, "merge": 4, "segment_layers": 1}, head_conf={"keys": "both"}, seconds=144
    ),
    "the same, 3000 negatives": Row(
        conf={**BLOCK, "merge": 4, "segment_layers": 1}, head_conf={"negatives": 3000}, seconds=144
    ),
}


def build_model(row: Row, llm: str, space: EmbeddingSpace) -> SSRDistillModel:
    """An untrained model in training mode."""
    torch.manual_seed(0)
    connector = CONNECTORS[row.connector](WIDTH, space.width, **row.conf)
    set_head(connector, row.head, row.head_conf, llm)
    losses = LINEAR_LOSSES if row.head == "linear" else None
    return SSRDistillModel(connector, space, losses, encoder=None, frame_rate=FRAME_RATE).train()


def make_batch(seconds: int, vocabulary: int) -> dict[str, torch.Tensor]:
    """Random features of utterances of evenly long tokens."""
    size = round(seconds * FRAME_RATE / FRAMES)
    ends = torch.arange(1, TOKENS + 1) * FRAMES / TOKENS / FRAME_RATE
    return {
        "feats": torch.randn(size, FRAMES, WIDTH),
        "feats_lengths": torch.full((size,), FRAMES),
        "token_id": torch.randint(200, vocabulary, (size, TOKENS)),
        "token_id_lengths": torch.full((size,), TOKENS),
        "token_end": ends.expand(size, -1),
    }


def measure(model: SSRDistillModel, batch: dict[str, torch.Tensor], steps: int) -> float:
    """Least CPU seconds of a step: forward, backward, update."""
    optimizer, found = torch.optim.AdamW(model.parameters()), []
    for _ in range(steps):
        start = time.process_time()
        optimizer.zero_grad()
        model(**batch)[0].backward()
        optimizer.step()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llm", default="SmolLM2-135M-Instruct-q4_1")
    parser.add_argument("--steps", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(1)
    space = EmbeddingSpace(load_embedding_matrix(args.llm))
    rows = []
    for name, row in ROWS.items():
        model = build_model(row, args.llm, space)
        batch = make_batch(row.seconds, len(space.matrix))
        cost = 1000 * measure(model, batch, args.steps) / row.seconds
        parameters = sum(p.numel() for p in model.connector.parameters()) / 1e6
        rows.append([name, f"{parameters:.2f}", f"{cost:.2f}"])
        print(f"{name}: {cost:.2f} ms", flush=True)
    print(table(["model", "parameters (M)", "CPU ms / s"], rows))


if __name__ == "__main__":
    main()
