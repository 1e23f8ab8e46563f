"""Text read as if it had been spoken: more to learn from than there is speech.

A fine-tuned LLM has to bear a connector's errors and to write down just what it hears; some hundred
utterances teach it those utterances rather. Any text can be turned into vectors like a
connector's: embeddings with the errors that the connector makes on the batch's speech. Not in
the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from espnet_ssr.llm.language_model import LanguageModel


def speak(
    texts: Sequence[torch.Tensor],
    vectors: Sequence[torch.Tensor],
    token_ids: Sequence[torch.Tensor],
    llm: LanguageModel,
) -> list[torch.Tensor]:
    """Vectors ``(N, H)`` for each text ``(N,)``, without a gradient: each embedding with the error
    of a vector of the batch, drawn at random.

    Args:
        texts: token ids.
        vectors: a connector's, ``(M, H)`` an utterance; token_ids: ``(M,)`` that they stand for.
    """
    if not texts:
        return []
    with torch.no_grad():
        errors = torch.cat(list(vectors)) - llm.embed(torch.cat(list(token_ids)))
        drawn = [torch.randint(len(errors), ids.shape, device=errors.device) for ids in texts]
        return [llm.embed(ids) + errors[n] for ids, n in zip(texts, drawn, strict=True)]


def first_line(ids: torch.Tensor, line_breaks: torch.Tensor) -> torch.Tensor:
    """Tokens before the first line break, which would end a transcript."""
    breaks = torch.isin(ids, line_breaks).nonzero()
    return ids[: int(breaks[0])] if len(breaks) else ids
