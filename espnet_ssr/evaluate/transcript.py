"""Stage 10 through the LLM: how likely it finds transcripts after a connector's vectors, and what
it writes down after them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
import yaml
from espnet2.torch_utils.device_funcs import to_device
from torch.utils.data import DataLoader

from espnet_ssr.batching import length_buckets
from espnet_ssr.evaluate.embedding import longest_kept
from espnet_ssr.evaluate.items import DIGITS, ITEMS, Item, Score, write_items
from espnet_ssr.evaluate.misalignment import predict, score_predictions
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import (
    PROMPTS,
    Dictation,
    Prompt,
    make_prompt,
    stop_tokens,
)
from espnet_ssr.llm.tokenizer import load_tokenizer
from espnet_ssr.model.head import change_head
from espnet_ssr.model.speech import SpeechModel
from espnet_ssr.progress import Progress
from espnet_ssr.task.trained import load_trained

MAX_POSITIONS = 1000  # of a batch, padding included: what the LLM reads at a time

T = TypeVar("T")


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
        prompts: kind of score -> prompt; see ``make_items``.
        args: of the training.
    """

    model: SpeechModel
    llm: LanguageModel
    prompts: Mapping[str, Prompt | Dictation]
    args: Namespace


def load_reader(
    config_file: Path | None, model_file: Path, device: str, head_conf: dict | None = None
) -> Reader:
    """A trained model for inference.

    A connector that was distilled gets the LLM whose embeddings it learned. The prompts are the
    first ones of the training, or the default ones.
    """
    config_file = config_file or model_file.parent / "config.yaml"
    config = yaml.safe_load(config_file.read_text(encoding="utf-8"))
    change_head(config, head_conf or {})
    args = Namespace(**config)
    model, llm = load_trained(args, model_file)
    for module in (model, llm):
        module.to(device).eval()
    known = list(getattr(model, "prompts", {}).values())
    known += [make_prompt(load_tokenizer(args.llm), template) for template in PROMPTS.values()]
    kinds = {"llm": "write"}
    # Without segments it decides by itself how many vectors there are.
    if model.connector.token_aligned and model.connector.needs_segmentation:
        kinds |= {"continuation": "continue", "dictation": "dictate"}
    prompts = {kind: next(p for p in known if p.kind == of) for kind, of in kinds.items()}
    return Reader(model, llm, prompts, args)


def hear(
    model: SpeechModel, loader: DataLoader, references: Mapping[str, Sequence[int]]
) -> dict[str, Heard]:
    """Vectors of some utterances of a test set.

    A connector that needs no segments decides by itself how many vectors there are.

    Args:
        loader: of the set; its dataset gives features or audio, and ``token_end`` if the connector
            needs segments.
        references: right token ids of the utterances.

    Raises:
        ValueError: there are no segments and the connector needs some.
    """
    device = model.connector.device
    heard = {}
    for utt_id, ids in references.items():
        _, batch = loader.collate_fn([loader.dataset[utt_id]])
        batch = to_device(batch, str(device))
        feats, lengths = model.encode(**batch)
        segments = batch.get("token_end"), batch.get("token_end_lengths")
        if not model.connector.needs_segmentation:
            segments = None, None
        elif segments[0] is None:
            raise ValueError(f"{type(model.connector).__name__} needs segments: give --seg_dir")
        output = model.connect(*segments, feats=feats, feats_lengths=lengths)
        vectors = output.embeds[0, : int(output.lengths)]
        token_id = torch.tensor(ids, device=device)
        heard[utt_id] = Heard(vectors, token_id, int(lengths) / model.frame_rate)
    return heard


@torch.inference_mode()
def evaluate_utterances(
    utt_ids: Sequence[str],
    folder: Path,
    final_folder: Path,
    progress: Progress,
    reader: Reader,
    loader: DataLoader,
    references: Mapping[str, Sequence[int]],
    others: Mapping[str, str],
) -> None:
    """Write a shard, ``items.jsonl``; see ``make_items``.

    Args:
        loader, references: see ``hear``; of the whole set.
        others: another utterance for each; empty: there is none.
    """
    # The connector costs little beside the LLM, so others are heard here once more.
    wanted = dict.fromkeys([*utt_ids, *(others[u] for u in utt_ids if others)])
    heard = hear(reader.model, loader, {u: references[u] for u in wanted})
    write_items(folder / ITEMS, make_items(utt_ids, heard, others, reader))
    progress.update(len(utt_ids))


def make_items(
    utt_ids: Sequence[str], heard: Mapping[str, Heard], others: Mapping[str, str], reader: Reader
) -> list[Item]:
    """Score utterances through the LLM, beside a topline and controls.

    The rows: ``connector``; ``text``, the embeddings of the transcript itself in place of the
    vectors; ``nothing``, the prompt alone; ``other utterance``, the vectors of another one.

    The kinds: ``llm``, the true transcript (without its end) after each of these. Where there is a
    vector for each token, of the first two rows also ``continuation``: how well each token is
    predicted from the vectors, or the embeddings, of those before it; the difference is the gap
    between speech and text, and the divergence of the two predictions is the misalignment. And
    ``dictation``: from its own vector, too, and the right tokens before it. The first two rows are
    written down as well, in all kinds but ``continuation``.

    Args:
        heard: these utterances, and the others.
    """
    llm = reader.llm
    targets = {u: heard[u].token_id for u in utt_ids}
    vectors = {u: heard[u].vectors for u in utt_ids}
    two = {"connector": vectors, "text": {u: llm.embed(ids) for u, ids in targets.items()}}
    rows = {**two, "nothing": {u: v[:0] for u, v in vectors.items()}}
    if others:
        rows["other utterance"] = {u: heard[others[u]].vectors for u in utt_ids}
    scores, written = {}, {}
    for kind, prompt in reader.prompts.items():
        chosen = rows if kind == "llm" else two
        scores[kind] = {
            name: score(row, targets, llm, prompt, _beside(kind, name, two))
            for name, row in chosen.items()
        }
        if kind != "continuation":
            written[kind] = {name: write(row, targets, llm, prompt) for name, row in two.items()}
    tokenizer = reader.prompts["llm"].tokenizer
    return [
        Item(
            utt_id=u,
            seconds=round(heard[u].seconds, DIGITS),
            vectors=len(vectors[u]),
            tokens=len(targets[u]),
            other=others.get(u),
            scores={kind: _of_utterance(u, found) for kind, found in scores.items()},
            reference=" ".join(tokenizer.decode(targets[u]).split()),
            written={kind: _of_utterance(u, found) for kind, found in written.items()},
        )
        for u in utt_ids
    ]


def _beside(kind: str, name: str, rows: Mapping[str, Tensors]) -> Tensors | None:
    """What a row is compared with, position by position."""
    return rows["text"] if (kind, name) == ("continuation", "connector") else None


def _of_utterance(utt_id: str, rows: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    return {name: row[utt_id] for name, row in rows.items()}


def score(
    vectors: Tensors,
    targets: Tensors,
    llm: LanguageModel,
    prompt: Prompt | Dictation,
    beside: Tensors | None = None,
) -> dict[str, Score]:
    """How well each utterance's tokens are predicted after a prompt, its end left out.

    Args:
        beside: other vectors, as many; the scores have the divergence of the predictions from what
            these predict.
    """
    found = {}
    for batch in _batches(vectors, targets, prompt):
        rows = [prompt.fill(vectors[u], targets[u], llm, end=False) for u in batch]
        sizes = [len(row.targets) for row in rows]
        if not sum(sizes):
            found |= dict.fromkeys(batch, Score(0.0, 0, 0, None if beside is None else 0.0))
            continue
        wanted = None
        if beside is not None:
            wanted = predict([prompt.fill(beside[u], targets[u], llm, False) for u in batch], llm)
        ids = torch.cat([row.targets for row in rows])
        scores = score_predictions(predict(rows, llm), ids, wanted)
        columns = zip(*(column.split(sizes) for column in scores), strict=True)
        for utt_id, (nats, correct, divergence) in zip(batch, columns, strict=True):
            apart = None if beside is None else _sum(divergence)
            found[utt_id] = Score(_sum(nats), len(nats), int(correct.sum()), apart)
    return found


def _sum(nats: torch.Tensor) -> float:
    return round(nats.sum().item(), DIGITS)


def write(
    vectors: Tensors, targets: Tensors, llm: LanguageModel, prompt: Prompt | Dictation
) -> dict[str, str]:
    """What the LLM writes after vectors, greedily.

    A dictation has a token for each vector. What is written after all vectors goes up to a line
    break or the tokenizer's end, and is at most ``longest_kept`` of the target's number.
    """
    texts = {}
    for batch in _batches(vectors, targets, prompt):
        rows = [vectors[u] for u in batch]
        if isinstance(prompt, Dictation):
            found = llm.dictate(prompt.before, rows)
        else:
            limits = [longest_kept(len(targets[u])) for u in batch]
            around = [prompt.around(row, llm) for row in rows]
            ids = llm.generate(around, stop_tokens(prompt.tokenizer), max(limits))
            found = [i[:limit] for i, limit in zip(ids, limits, strict=True)]
        for utt_id, ids in zip(batch, found, strict=True):
            text = prompt.tokenizer.decode(ids, skip_special_tokens=True)
            texts[utt_id] = " ".join(text.split())
    return texts


def _batches(vectors: Tensors, targets: Tensors, prompt: Prompt | Dictation) -> list[list[str]]:
    """Utterances of like length."""
    fixed = len(prompt.before) + len(getattr(prompt, "after", ()))
    lengths = {u: fixed + len(v) + len(targets[u]) for u, v in vectors.items()}
    return length_buckets(lengths, MAX_POSITIONS)


def another(utt_ids: Iterable[str], seed: int) -> dict[str, str]:
    """Another utterance for each, each one once: the next of a random circle. Empty if there is
    but one."""
    utt_ids = list(utt_ids)
    if len(utt_ids) == 1:
        return {}
    order = torch.randperm(len(utt_ids), generator=torch.Generator().manual_seed(seed)).tolist()
    return {utt_ids[a]: utt_ids[b] for a, b in zip(order, order[1:] + order[:1], strict=True)}
