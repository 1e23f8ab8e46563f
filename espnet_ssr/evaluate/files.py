"""Files that the evaluations of a test set read and write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from espnet_ssr.datadir import read_keyed, write_keyed, write_lines
from espnet_ssr.evaluate.embedding import Utterance


def read_token_ids(path: Path) -> dict[str, list[int]]:
    """A ``token_id`` file."""
    return {utt_id: [int(i) for i in line.split()] for utt_id, line in read_keyed(path).items()}


def write_hypotheses(
    output_dir: Path,
    utterances: Sequence[Utterance],
    ids: Sequence[torch.Tensor],
    hypotheses: Sequence[str],
) -> None:
    """Write the nearest tokens and the text that they spell."""
    keys = [u.utt_id for u in utterances]
    output_dir.mkdir(parents=True, exist_ok=True)
    write_keyed(output_dir / "text", dict(zip(keys, hypotheses, strict=True)))
    token_int = {k: " ".join(map(str, i.tolist())) for k, i in zip(keys, ids, strict=True)}
    write_keyed(output_dir / "token_int", token_int)


def write_result(output_dir: Path, result: dict) -> None:
    """Write ``result.json``."""
    write_lines(output_dir / "result.json", [json.dumps(result, indent=1)])
