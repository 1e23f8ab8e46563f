"""A test set through the LLM in jobs that survive a kill; the result is the same for any number
of jobs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from torch.utils.data import DataLoader

from espnet_ssr.datadir import read_keyed, write_keyed, write_lines
from espnet_ssr.evaluate.embedding import error_rates
from espnet_ssr.evaluate.files import write_result
from espnet_ssr.evaluate.items import ITEMS, Item, Score, read_items
from espnet_ssr.evaluate.transcript import Reader, another, evaluate_utterances
from espnet_ssr.jobs import part_of_job
from espnet_ssr.shards import merge_shards, run_shards
from espnet_ssr.text import plain

SHARDS = "shards"
PARAMETERS = "parameters"
TEXTS = {"llm": "text", "dictation": "text_dictation"}
"""Kind -> file of what the LLM wrote from the vectors."""


def evaluate_job(
    reader: Reader,
    loader: DataLoader,
    references: Mapping[str, Sequence[int]],
    files: Sequence[Path],
    output_dir: Path,
    settings: dict,
    seed: int = 0,
    job: int = 1,
    num_jobs: int = 1,
    shard_size: int = 20,
) -> None:
    """Evaluate a job's part of a test set; shards that are there from a former run are kept.

    Args:
        loader: of the whole set, an utterance a batch.
        references: right token ids; utterances without are left out.
        files: keyed files whose lines of an utterance its result depends on.
        settings: what all results depend on.
        seed: of who the other utterance is, in the whole set.

    Raises:
        ValueError: no utterance is left.
    """
    keys = [utt_id for (utt_id,) in loader.batch_sampler if utt_id in references]
    if not keys:
        raise ValueError("no utterance has a reference; are --reference and the input of one set?")
    output_dir.mkdir(parents=True, exist_ok=True)
    if job == 1:  # jobs that write the same file at a time would get in each other's way
        write_lines(output_dir / PARAMETERS, [str(reader.model.count_connector())])
    others = another(keys, seed)
    prompts = {kind: prompt.template for kind, prompt in reader.prompts.items()}
    run_shards(
        _describe(part_of_job(keys, job, num_jobs, shard_size), others, files),
        output_dir / SHARDS,
        job,
        {**settings, "prompts": prompts, "scores": [field.name for field in fields(Score)]},
        partial(
            evaluate_utterances, reader=reader, loader=loader, references=references, others=others
        ),
        shard_size,
        "inference",
    )


def _describe(
    utt_ids: Sequence[str], others: Mapping[str, str], files: Sequence[Path]
) -> dict[str, str]:
    """What the result for each utterance depends on: the lines of its own, and of the other one."""
    tables = [read_keyed(file) for file in files]
    heard = {u: (u, others[u]) if others else (u,) for u in utt_ids}
    return {
        u: "\n".join(f"{v} {table.get(v, '')}" for v in both for table in tables)
        for u, both in heard.items()
    }


def merge_jobs(output_dir: Path, num_jobs: int, num_references: int) -> dict:
    """After all jobs: write ``items.jsonl``, ``TEXTS`` and ``result.json``.

    Args:
        num_references: utterances that there should be.

    Returns:
        the content of ``result.json``.
    """
    merge_shards(output_dir / SHARDS, num_jobs, [ITEMS], output_dir)
    items = read_items(output_dir / ITEMS)
    for kind, name in TEXTS.items():
        if kind in items[0].written:
            texts = {item.utt_id: item.written[kind]["connector"] for item in items}
            write_keyed(output_dir / name, texts)
    parameters = int((output_dir / PARAMETERS).read_text())
    missing = num_references - len(items)
    result = {**summarize(items), "parameters": parameters, "missing": missing}
    write_result(output_dir, result)
    return result


def summarize(items: Sequence[Item]) -> dict:
    """Figures of a set, of at least one utterance.

    Returns:
        the kinds of ``make_items``, of each row ``nats_per_token``, ``perplexity``,
        ``token_accuracy``, where it was measured ``misalignment`` and, where something was written,
        ``wer`` and ``cer``; sizes of the set, and vectors a second of speech.
    """
    references = [plain(item.reference) for item in items]
    result = {}
    for kind, rows in items[0].scores.items():
        result[kind] = {name: mean_score([i.scores[kind][name] for i in items]) for name in rows}
        for name in items[0].written.get(kind, ()):
            texts = [plain(item.written[kind][name]) for item in items]
            result[kind][name] |= error_rates(references, texts)
    seconds = sum(item.seconds for item in items)
    return {
        **result,
        "utterances": len(items),
        "tokens": sum(item.tokens for item in items),
        "seconds": seconds,
        "vectors_per_second": sum(item.vectors for item in items) / seconds,
    }


def mean_score(scores: Sequence[Score]) -> dict[str, float]:
    """Means over all tokens."""
    tokens = max(sum(score.tokens for score in scores), 1)
    nats = sum(score.nats for score in scores) / tokens
    correct = sum(score.correct for score in scores) / tokens
    means = {"nats_per_token": nats, "perplexity": math.exp(nats), "token_accuracy": correct}
    apart = [score.divergence for score in scores if score.divergence is not None]
    return {**means, "misalignment": sum(apart) / tokens} if apart else means
