"""How far fine-tuning moved what an LLM predicts in a text: F of ``misalignment``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.evaluate.misalignment import Predictions, score_predictions
from espnet_ssr.evaluate.retention import Benchmark, read_texts
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import first_tokens


@torch.inference_mode()
def read_documents(
    llm: LanguageModel, tokenizer: PreTrainedTokenizerBase, benchmark: Benchmark
) -> list[Predictions]:
    """What an LLM predicts each token of each document from, the states on the CPU.

    Only the LLM's output layer is kept, so that not two LLMs need be in memory at a time.
    """
    texts = _tokenize(tokenizer, benchmark)
    head = llm.model.get_output_embeddings()
    found = {}
    for batch, _, predictions in read_texts(llm, first_tokens(tokenizer), texts, "text"):
        parts = predictions.states.cpu().split([len(texts[n]) for n in batch])
        found |= zip(batch, (Predictions(part, head) for part in parts), strict=True)
    return [found[n] for n in range(len(texts))]


@torch.inference_mode()
def measure_forgetting(
    original: LanguageModel,
    tokenizer: PreTrainedTokenizerBase,
    benchmark: Benchmark,
    after: Sequence[Predictions],
) -> float:
    """KL(before || after) in nats, the mean over all tokens of the documents.

    Args:
        original: the LLM before its training.
        benchmark: has documents.
        after: what ``read_documents`` gave after it.
    """
    texts = _tokenize(tokenizer, benchmark)
    nats = 0.0
    first = first_tokens(tokenizer)
    for batch, targets, before in read_texts(original, first, texts, "forgetting"):
        states = torch.cat([after[n].states for n in batch]).to(targets.device)
        found = Predictions(states, after[0].logits)
        nats += score_predictions(found, targets, before).divergence.double().sum().item()
    return nats / sum(map(len, texts))


def _tokenize(tokenizer: PreTrainedTokenizerBase, benchmark: Benchmark) -> list[list[int]]:
    documents = tokenizer(benchmark.documents, add_special_tokens=False).input_ids
    return [ids[: benchmark.max_tokens] for ids in documents]
