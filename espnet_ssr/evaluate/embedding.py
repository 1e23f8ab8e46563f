"""How well a connector reproduces token embeddings, beside controls that did not hear the words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import jiwer
import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.llm.embedding import EmbeddingSpace


@dataclass
class Utterance:
    """What scoring needs of an utterance: features ``(T, D)``, token ids ``(M,)``, last frame of
    each token ``(M,)``."""

    utt_id: str
    feats: torch.Tensor
    token_id: torch.Tensor
    token_end: torch.Tensor


Connect = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""``connect(feats (T, D), token_end (M,))`` -> vectors ``(M, H)``."""


def fidelity(
    vectors: torch.Tensor, token_id: torch.Tensor, space: EmbeddingSpace, seen: torch.Tensor
) -> tuple[dict[str, float], torch.Tensor]:
    """Figures over all tokens of a set.

    Args:
        vectors: ``(S, H)``; token_id: ``(S,)``.
        space: the LLM's embeddings.
        seen: ``(V,)`` bool, the tokens that occur in the training set.

    Returns:
        ``cosine``, ``centred_cosine``, ``mse``, ``token_accuracy`` (the nearest embedding of the
        vocabulary is the right one) and that accuracy for seen and unseen tokens; and the
        nearest token ids ``(S,)``.
    """
    nearest = space.nearest(vectors)
    figures = {k: v.mean().item() for k, v in space.fidelity(vectors, token_id).items()}
    return figures | token_accuracy(nearest, token_id, seen), nearest


def token_accuracy(
    found: torch.Tensor, token_id: torch.Tensor, seen: torch.Tensor
) -> dict[str, float | None]:
    """Share of tokens ``(S,)`` that were found, of all, of seen and of unseen ones; ``seen``:
    ``(V,)`` bool."""
    correct = (found == token_id).float()
    known = seen[token_id]
    return {
        "token_accuracy": correct.mean().item(),
        "token_accuracy_seen": _mean(correct[known]),
        "token_accuracy_unseen": _mean(correct[~known]),
    }


def _mean(values: torch.Tensor) -> float | None:
    return values.mean().item() if len(values) else None


def text_figures(
    references: list[torch.Tensor],
    hypotheses: Sequence[torch.Tensor],
    tokenizer: PreTrainedTokenizerBase,
) -> tuple[dict[str, float], list[str]]:
    """`error_rates` and `token_figures` of token ids ``(N,)`` an utterance, which need not be as
    many as the right ones, and the texts that they spell."""
    right = [tokenizer.decode(ids).strip() for ids in references]
    texts = [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in hypotheses]
    return error_rates(right, texts) | token_figures(references, hypotheses), texts


def error_rates(references: list[str], hypotheses: list[str]) -> dict[str, float]:
    """Word and character error rate over a set; both sides are transcripts without padding."""
    return {
        "wer": jiwer.wer(references, hypotheses),
        "cer": jiwer.cer(references, hypotheses),
    }


def longest_kept(length: int) -> int:
    """How much is kept of what is written for a transcript of ``length`` words or tokens: a model
    that goes round in circles does not stop by itself."""
    return 2 * length + 10


def token_figures(
    references: list[torch.Tensor], hypotheses: Sequence[torch.Tensor]
) -> dict[str, float]:
    """``tokens_found``: share of the right tokens that the edit-distance alignment finds among
    the nearest ones; ``token_error_rate``."""
    output = jiwer.process_words([_spell(i) for i in references], [_spell(i) for i in hypotheses])
    total = output.hits + output.substitutions + output.deletions
    return {"tokens_found": output.hits / total, "token_error_rate": output.wer}


def _spell(ids: torch.Tensor) -> str:
    return " ".join(map(str, ids.tolist()))


def connect_all(utterances: Iterable[Utterance], connect: Connect) -> torch.Tensor:
    """Vectors ``(S, H)`` of all tokens, utterance by utterance."""
    return torch.cat([connect(u.feats, u.token_end) for u in utterances])


def shuffle_segments(utterances: list[Utterance], seed: int) -> list[Utterance]:
    """Give every token the frames of a random other utterance's segment.

    The connector hears real speech cut at word boundaries, only not the words in question: what
    it scores on this is what can be scored without listening. Token ids stay.
    """
    pool = [
        (i, segment)
        for i, u in enumerate(utterances)
        for segment in _segments(u.feats, u.token_end)
    ]
    generator = torch.Generator().manual_seed(seed)
    shuffled = []
    for i, utterance in enumerate(utterances):
        drawn = [_draw_foreign(pool, i, generator) for _ in range(len(utterance.token_end))]
        lengths = torch.tensor([len(segment) for segment in drawn])
        shuffled.append(
            Utterance(utterance.utt_id, torch.cat(drawn), utterance.token_id, lengths.cumsum(0) - 1)
        )
    return shuffled


def _segments(feats: torch.Tensor, token_end: torch.Tensor) -> list[torch.Tensor]:
    sizes = torch.diff(token_end, prepend=torch.tensor([-1])).tolist()
    return list(feats[: int(token_end[-1]) + 1].split(sizes))


def _draw_foreign(pool: list[tuple[int, torch.Tensor]], own: int, generator) -> torch.Tensor:
    """A segment of another utterance (of the own one if there is no other)."""
    while True:
        owner, segment = pool[int(torch.randint(len(pool), (1,), generator=generator))]
        if owner != own or pool[0][0] == pool[-1][0]:
            return segment
