"""What an LLM keeps of its ability to read and write text when it is fine-tuned: perplexity of a
text, and accuracy on BLiMP (Warstadt et al., TACL 2020), before and after, and how far its
predictions moved (see ``forgetting``). No speech is read."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.batching import length_buckets
from espnet_ssr.datadir import write_lines
from espnet_ssr.evaluate.bootstrap import bootstrap_interval
from espnet_ssr.evaluate.misalignment import Predictions, predict, score_predictions
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import Row, first_tokens
from espnet_ssr.progress import Progress

MAX_POSITIONS = 2000  # of a batch, padding included: what the LLM reads at a time


class Pair(NamedTuple):
    """Two sentences that differ little, of which one is bad English."""

    paradigm: str
    field: str
    good: str
    bad: str


@dataclass(frozen=True)
class Benchmark:
    """What an LLM is measured on.

    Attributes:
        documents: for perplexity; pairs: of BLiMP. One of them may be empty.
        max_tokens: of a document; the rest of it is left out.
    """

    documents: list[str]
    pairs: list[Pair]
    max_tokens: int = 512

    def digest(self) -> str:
        """The same for the same documents and pairs."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()


@dataclass(frozen=True)
class Scores:
    """What one LLM makes of a benchmark.

    Attributes:
        nats: negative log-likelihood of each document, cut; tokens: their numbers.
        good, bad: nats of the sentences of each pair.
        cut: number of documents that were cut.
    """

    nats: list[float]
    tokens: list[int]
    good: list[float]
    bad: list[float]
    cut: int


def read_benchmark(
    text_file: Path | None,
    blimp_dir: Path | None,
    limit: int | None = None,
    max_tokens: int = 512,
) -> Benchmark:
    """Read what there is.

    Args:
        text_file: a document on each line; blank lines count for nothing.
        blimp_dir: BLiMP's own files, one a paradigm (``data/*.jsonl`` of its repository).
        limit: only the first so many pairs of each paradigm; they are in no order.

    Raises:
        ValueError: both are None, or one has nothing in it.
    """
    if text_file is None and blimp_dir is None:
        raise ValueError("nothing to measure: give a text file, a folder of BLiMP, or both")
    documents, pairs = [], []
    if text_file is not None:
        lines = text_file.read_text(encoding="utf-8").split("\n")
        documents = [line.strip() for line in lines if line.strip()]
        if not documents:
            raise ValueError(f"{text_file}: no text in it")
    if blimp_dir is not None:
        for file in sorted(blimp_dir.glob("*.jsonl")):
            pairs += _read_pairs(file, limit)
        if not pairs:
            raise ValueError(f"{blimp_dir}: no pairs in *.jsonl; it should be BLiMP's folder data/")
    return Benchmark(documents, pairs, max_tokens)


def _read_pairs(file: Path, limit: int | None) -> list[Pair]:
    pairs = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines()[:limit], 1):
        try:
            row = json.loads(line)
            # One paradigm spells its field in another way than all others.
            field = row["field"].replace("/", "_")
            pairs.append(Pair(row["UID"], field, row["sentence_good"], row["sentence_bad"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file}:{number}: not a pair of BLiMP ({error!r})") from None
    return pairs


@torch.inference_mode()
def score_benchmark(
    llm: LanguageModel, tokenizer: PreTrainedTokenizerBase, benchmark: Benchmark
) -> Scores:
    """Read the documents and the sentences, each by itself after ``first_tokens``.

    All tokens of a sentence count, the first one too, as lm-evaluation-harness does it for
    ``blimp`` but for the space that it puts before every sentence.
    """
    documents = _tokenize(tokenizer, benchmark.documents)
    kept = [ids[: benchmark.max_tokens] for ids in documents]
    good = _tokenize(tokenizer, [pair.good for pair in benchmark.pairs])
    bad = _tokenize(tokenizer, [pair.bad for pair in benchmark.pairs])
    first = first_tokens(tokenizer)
    nats = _nats(llm, first, kept, "text")
    sentences = _nats(llm, first, good + bad, "BLiMP")
    return Scores(
        nats=nats,
        tokens=[len(ids) for ids in kept],
        good=sentences[: len(good)],
        bad=sentences[len(good) :],
        cut=sum(len(ids) > benchmark.max_tokens for ids in documents),
    )


def _tokenize(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=False).input_ids if texts else []


def _nats(
    llm: LanguageModel, first: list[int], texts: Sequence[list[int]], name: str
) -> list[float]:
    """Negative log-likelihood of each text (token ids) after the first tokens."""
    found = [0.0] * len(texts)
    for batch, targets, predictions in read_texts(llm, first, texts, name):
        nats = score_predictions(predictions, targets).nats.double()
        for n, part in zip(batch, nats.split([len(texts[n]) for n in batch]), strict=True):
            found[n] = part.sum().item()
    return found


def read_texts(
    llm: LanguageModel, first: list[int], texts: Sequence[list[int]], name: str
) -> Iterator[tuple[list[int], torch.Tensor, Predictions]]:
    """Texts (token ids) in batches of like length: their numbers, all their tokens ``(S,)``, and
    what the LLM predicts these from, the first ones after ``first``."""
    lengths = {str(n): len(first) + len(ids) for n, ids in enumerate(texts)}
    batches = length_buckets(lengths, MAX_POSITIONS)
    progress = Progress(len(batches), name)
    for batch in (list(map(int, names)) for names in batches):
        rows = [
            Row(llm.embed([*first, *texts[n][:-1]]), torch.tensor(texts[n], device=llm.device))
            for n in batch
        ]
        yield batch, torch.cat([row.targets for row in rows]), predict(rows, llm)
        progress.update()


def cached_scores(path: Path, inputs: dict[str, str], compute: Callable[[], Scores]) -> Scores:
    """What is in ``path`` if it was computed from the same inputs; else it is computed and written
    there, so that it is done once for all trainings of an LLM."""
    if path.is_file():
        cached = json.loads(path.read_text(encoding="utf-8"))
        if cached["inputs"] == inputs:
            return Scores(**cached["scores"])
        logging.info(f"{path}: of another LLM or benchmark; computed again")
    scores = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_lines(path, [json.dumps({"inputs": inputs, "scores": asdict(scores)})])
    return scores


def compare_scores(before: Scores, after: Scores, benchmark: Benchmark, seed: int = 0) -> dict:
    """Figures before and after, and what changed.

    ``blimp`` is the mean over paradigms of the share of pairs whose good sentence is the likelier,
    as in the paper, whose paradigms are all of one size.

    Args:
        seed: of the bootstrap.

    Returns:
        ``retention``: ``before`` and ``after`` with ``nats_per_token``, ``perplexity`` and
        ``blimp``; ``change`` with ``perplexity`` (0.02: two per cent more), ``blimp`` (difference)
        and ``blimp_interval``. ``fields`` and ``paradigms``: accuracy before and after. Sizes of
        the benchmark. What was not measured is left out.
    """
    rows: dict[str, dict] = {"before": {}, "after": {}, "change": {}}
    tables = {}
    parts = []
    if benchmark.documents:
        parts.append(_compare_text(before, after))
    if benchmark.pairs:
        parts.append(_compare_blimp(before, after, benchmark.pairs, seed))
    for part, more in parts:
        for name, row in rows.items():
            row |= part[name]
        tables |= more
    return {"retention": rows, **tables}


def _compare_text(before: Scores, after: Scores) -> tuple[dict, dict]:
    """Rows, and sizes."""
    rows = {}
    for name, scores in (("before", before), ("after", after)):
        nats = sum(scores.nats) / sum(scores.tokens)
        rows[name] = {"nats_per_token": nats, "perplexity": math.exp(nats)}
    change = rows["after"]["perplexity"] / rows["before"]["perplexity"] - 1
    sizes = {"documents": len(after.tokens), "documents_cut": after.cut}
    sizes["tokens"] = sum(after.tokens)
    return {**rows, "change": {"perplexity": change}}, sizes


def _compare_blimp(
    before: Scores, after: Scores, pairs: Sequence[Pair], seed: int
) -> tuple[dict, dict]:
    """Rows, and accuracies of fields (each the mean of its paradigms) and paradigms."""
    right = {"before": _right(before, pairs), "after": _right(after, pairs)}
    fields: dict[str, set[str]] = {}
    for pair in pairs:
        fields.setdefault(pair.field, set()).add(pair.paradigm)

    def accuracies(paradigms: Iterable[str]) -> dict[str, float]:
        paradigms = sorted(paradigms)
        return {
            when: float(np.mean([values[name].mean() for name in paradigms]))
            for when, values in right.items()
        }

    overall = accuracies(right["before"])
    differences = [right["after"][name] - right["before"][name] for name in right["before"]]
    rows = {when: {"blimp": accuracy} for when, accuracy in overall.items()}
    rows["change"] = {
        "blimp": overall["after"] - overall["before"],
        "blimp_interval": bootstrap_interval(differences, seed),
    }
    return rows, {
        "pairs": len(pairs),
        "fields": {field: accuracies(names) for field, names in sorted(fields.items())},
        "paradigms": {name: accuracies([name]) for name in right["before"]},
    }


def _right(scores: Scores, pairs: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Paradigm -> for each of its pairs 1.0 if the good sentence is the likelier, else 0.0."""
    right: dict[str, list[float]] = {}
    for pair, good, bad in zip(pairs, scores.good, scores.bad, strict=True):
        right.setdefault(pair.paradigm, []).append(float(good < bad))
    return {paradigm: np.array(values) for paradigm, values in right.items()}
