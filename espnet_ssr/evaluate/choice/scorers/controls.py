"""Controls: what is scored without hearing, and without knowing anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from espnet_ssr.evaluate.choice.item import Part, Parts
from espnet_ssr.evaluate.choice.scorers.rows import Read, RowScorer
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.speech_lm.score import Score


class MeanEmbeddingScorer(RowScorer):
    """For each token that is spoken the LLM gets the mean of all its embeddings: what it reaches
    comes from texts and from the number of tokens."""

    def hear(self, parts: Sequence[Part]) -> list[Read]:
        mean = self.llm.embedding_matrix().mean(0)
        ids = [self.read(part.text).token_id for part in parts]
        return [Read(mean.expand(len(i), -1), i) for i in ids]


class Chance:
    """Finds all continuations equally likely, and writes nothing."""

    def score(self, pairs: Sequence[tuple[Parts, Parts]]) -> list[Score]:
        return [Score(torch.zeros(1, dtype=torch.long), torch.zeros(1)) for _ in pairs]

    def generate(self, prompts: Sequence[Parts], max_tokens: int) -> list[str]:
        return [""] * len(prompts)

    def cost(self, parts: Iterable[Part]) -> None:
        return None


@torch.no_grad()
def permute_embeddings(llm: LanguageModel, seed: int = 0) -> None:
    """Break an LLM: each token gets another one's embedding, and keeps its own logit.

    The lower end of the ruler: what such a model scores above chance, a task gives away.
    """
    output = llm.model.get_output_embeddings()
    embedding = llm.model.get_input_embeddings()
    order = torch.randperm(embedding.num_embeddings, generator=torch.Generator().manual_seed(seed))
    weight = embedding.weight[order.to(llm.device)].clone()
    output.weight = torch.nn.Parameter(output.weight.clone(), requires_grad=False)  # if tied
    embedding.weight = torch.nn.Parameter(weight, requires_grad=False)
