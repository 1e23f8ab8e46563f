"""Stage 10 through the LLM: how likely it finds transcripts after a connector's vectors, and what
it writes down after them."""

from __future__ import annotations

import math
import re
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import yaml
from espnet2.torch_utils.device_funcs import to_device
from torch.utils.data import DataLoader

from espnet_ssr.batching import length_buckets
from espnet_ssr.datadir import write_keyed
from espnet_ssr.evaluate.embedding import error_rates
from espnet_ssr.llm.cross_entropy import score_tokens
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import PROMPTS, Prompt, predicting_states, stop_tokens
from espnet_ssr.llm.tokenizer import load_tokenizer
from espnet_ssr.model.speech import SpeechModel
from espnet_ssr.progress import Progress
from espnet_ssr.task.trained import load_trained

MAX_POSITIONS = 1000  # of a batch, padding included: what the LLM reads at a time


@dataclass
class Heard:
    """An utterance as the LLM gets it: vectors ``(N, H)``, the right token ids ``(M,)``, its
    duration in seconds."""

    vectors: torch.Tensor
    token_id: torch.Tensor
    seconds: float


Tensors = dict[str, torch.Tensor]
"""By utterance."""


class Reader(NamedTuple):
    """A trained connector and the LLM that reads its vectors.

    Attributes:
        model: has the connector.
        llm: maybe ``model.llm``.
        prompt: after which the LLM writes down what it heard.
        continuation: in which it goes on after a vector for each token; None: the connector has no
            such vectors.
        args: of the training.
    """

    model: SpeechModel
    llm: LanguageModel
    prompt: Prompt
    continuation: Prompt | None
    args: Namespace


def load_reader(config_file: Path | None, model_file: Path, device: str) -> Reader:
    """A trained model for inference.

    A connector that was distilled gets the LLM whose embeddings it learned. The prompts are the
    first ones of the training, or the default ones.
    """
    config_file = config_file or model_file.parent / "config.yaml"
    args = Namespace(**yaml.safe_load(config_file.read_text(encoding="utf-8")))
    model, llm = load_trained(args, model_file)
    for module in (model, llm):
        module.to(device).eval()
    prompts = list(getattr(model, "prompts", {}).values())
    tokenizer = load_tokenizer(args.llm)
    prompts += [Prompt(tokenizer, PROMPTS[task]) for task in ("transcribe", "continue")]
    writing, continuing = (next(p for p in prompts if p.writes is w) for w in (True, False))
    # Without segments it decides by itself how many vectors there are.
    aligned = model.connector.token_aligned and model.connector.needs_segmentation
    return Reader(model, llm, writing, continuing if aligned else None, args)


def hear(
    model: SpeechModel, loader: DataLoader, references: dict[str, list[int]]
) -> dict[str, Heard]:
    """Vectors of what a loader gives in batches of one utterance.

    A connector that needs no segments decides by itself how many vectors there are.

    Args:
        loader: gives features or audio, and ``token_end`` if the connector needs segments.
        references: right token ids by utterance; those without are left out.

    Raises:
        ValueError: there are no segments and the connector needs some, or no utterance is left.
    """
    device = model.connector.output.weight.device
    progress = Progress(len(loader), "connector")
    heard = {}
    for (utt_id,), batch in loader:
        progress.update()
        if utt_id not in references:
            continue
        batch = to_device(batch, str(device))
        feats, lengths = model.encode(**batch)
        segments = batch.get("token_end"), batch.get("token_end_lengths")
        if not model.connector.needs_segmentation:
            segments = None, None
        elif segments[0] is None:
            raise ValueError(f"{type(model.connector).__name__} needs segments: give --seg_dir")
        output = model.connect(*segments, feats=feats, feats_lengths=lengths)
        vectors = output.embeds[0, : int(output.lengths)]
        token_id = torch.tensor(references[utt_id], device=device)
        heard[utt_id] = Heard(vectors, token_id, int(lengths) / model.frame_rate)
    if not heard:
        raise ValueError("no utterance has a reference; are --reference and the input of one set?")
    return heard


def evaluate_transcripts(
    heard: dict[str, Heard], reader: Reader, output_dir: Path, seed: int = 0
) -> dict:
    """Score vectors through the LLM, beside a topline and controls; write ``text``, what it wrote
    down after them.

    The rows: ``connector``; ``text``, the embeddings of the transcript itself in place of the
    vectors; ``other utterance``, the vectors of another one; ``nothing``, the prompt alone. Each
    has ``nats_per_token`` of the true transcript (without its end) and ``token_accuracy``, the
    share of tokens that are the likeliest after the true ones before them. What the LLM writes
    down by itself gives ``wer`` and ``cer`` of the first two, regardless of case and punctuation.

    Where there is a vector for each token, also ``continuation`` of the first two rows: how well
    each token is predicted from the vectors, or the embeddings, of those before it. The difference
    is the gap between speech and text.

    Args:
        seed: of who the other utterance is.

    Returns:
        the rows as ``llm``, ``continuation``, and sizes of the set.
    """
    llm, prompt = reader.llm, reader.prompt
    vectors = {u: h.vectors for u, h in heard.items()}
    targets = {u: h.token_id for u, h in heard.items()}
    rows = {
        "connector": vectors,
        "text": {u: llm.embed(ids) for u, ids in targets.items()},
        "nothing": {u: v[:0] for u, v in vectors.items()},
    }
    if len(vectors) > 1:
        others = another(list(vectors), seed)
        rows["other utterance"] = {u: vectors[others[u]] for u in vectors}
    figures = {name: score(row, targets, llm, prompt) for name, row in rows.items()}
    references = [plain(prompt.tokenizer.decode(ids)) for ids in targets.values()]
    written = {name: transcribe(rows[name], targets, llm, prompt) for name in ("connector", "text")}
    for name, texts in written.items():
        figures[name] |= error_rates(references, [plain(texts[u]) for u in heard])
    output_dir.mkdir(parents=True, exist_ok=True)
    write_keyed(output_dir / "text", {u: written["connector"][u] for u in heard})
    result = {"llm": figures}
    if reader.continuation is not None:
        result["continuation"] = {
            name: score(rows[name], targets, llm, reader.continuation)
            for name in ("connector", "text")
        }
    return {**result, **rates(heard)}


def score(
    vectors: Tensors, targets: Tensors, llm: LanguageModel, prompt: Prompt
) -> dict[str, float]:
    """``nats_per_token``, ``perplexity`` and ``token_accuracy`` of what a prompt predicts, its end
    left out."""
    nats, correct, tokens = 0.0, 0.0, 0
    for batch in _batches(vectors, targets, prompt, "likelihood"):
        rows = [prompt.fill(vectors[u], targets[u], llm, end=False) for u in batch]
        ids = torch.cat([row.targets for row in rows])
        if not len(ids):
            continue
        scores = score_tokens(llm.logits, predicting_states(rows, llm), ids)
        nats += scores.nats.sum().item()
        correct += scores.correct.sum().item()
        tokens += len(scores.nats)
    mean = nats / max(tokens, 1)
    accuracy = correct / max(tokens, 1)
    return {"nats_per_token": mean, "perplexity": math.exp(mean), "token_accuracy": accuracy}


def transcribe(
    vectors: Tensors, targets: Tensors, llm: LanguageModel, prompt: Prompt
) -> dict[str, str]:
    """What the LLM writes after vectors, greedily, up to a line break or the tokenizer's end.

    At most ten tokens more than twice the target's number: a model that goes round in circles does
    not stop by itself.
    """
    stop, texts = stop_tokens(prompt.tokenizer), {}
    for batch in _batches(vectors, targets, prompt, "transcription"):
        rows = [prompt.around(vectors[u], llm) for u in batch]
        limits = [2 * len(targets[u]) + 10 for u in batch]
        found = llm.generate(rows, stop, max(limits))
        for utt_id, ids, limit in zip(batch, found, limits, strict=True):
            text = prompt.tokenizer.decode(ids[:limit], skip_special_tokens=True)
            texts[utt_id] = " ".join(text.split())
    return texts


def _batches(vectors: Tensors, targets: Tensors, prompt: Prompt, name: str) -> Iterator[list[str]]:
    """Utterances of like length, with a progress report."""
    fixed = len(prompt.before) + len(prompt.after)
    lengths = {u: fixed + len(v) + len(targets[u]) for u, v in vectors.items()}
    batches = length_buckets(lengths, MAX_POSITIONS)
    progress = Progress(len(batches), name)
    for batch in batches:
        yield batch
        progress.update()


def another(utt_ids: list[str], seed: int) -> dict[str, str]:
    """Another utterance for each, each one once: the next of a random circle."""
    order = torch.randperm(len(utt_ids), generator=torch.Generator().manual_seed(seed)).tolist()
    return {utt_ids[a]: utt_ids[b] for a, b in zip(order, order[1:] + order[:1], strict=True)}


def plain(text: str) -> str:
    """Lower case, without punctuation but apostrophes."""
    return " ".join(re.sub(r"[^\w']|_", " ", text.lower()).split())


def rates(heard: dict[str, Heard]) -> dict[str, float]:
    """Sizes of the set, and vectors a second of speech."""
    seconds = sum(h.seconds for h in heard.values())
    return {
        "utterances": len(heard),
        "tokens": sum(len(h.token_id) for h in heard.values()),
        "seconds": seconds,
        "vectors_per_second": sum(len(h.vectors) for h in heard.values()) / seconds,
    }
