"""What the LLM writes after a row of vectors: the likeliest token again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.batching import length_buckets
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import stop_tokens

MAX_POSITIONS = 4096  # of a batch, padding and what is to be written included


def find_stop_tokens(
    llm: LanguageModel, tokenizer: PreTrainedTokenizerBase, stop_at_newline: bool
) -> list[int]:
    """Tokens that end what is written: the LLM's own, maybe all with a line break, too."""
    ends = llm.model.generation_config.eos_token_id
    found = {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id}
    found |= set(stop_tokens(tokenizer)) if stop_at_newline else set()
    return sorted(found - {None})


def generate_texts(
    rows: Sequence[torch.Tensor],
    limits: Sequence[int],
    llm: LanguageModel,
    tokenizer: PreTrainedTokenizerBase,
    stop: list[int],
) -> list[str]:
    """What is written after each row ``(L, H)``, in batches of rows of like length.

    Args:
        limits: tokens at most, for each row.
        stop: tokens that end a text, left out.
    """
    lengths = {
        str(n): len(row) + limit for n, (row, limit) in enumerate(zip(rows, limits, strict=True))
    }
    texts: dict[str, str] = {}
    for batch in length_buckets(lengths, MAX_POSITIONS):
        part = [int(n) for n in batch]
        found = llm.generate([rows[n] for n in part], stop, max(limits[n] for n in part))
        for n, ids in zip(part, found, strict=True):
            texts[str(n)] = _decode(tokenizer, ids[: limits[n]])
    return [texts[n] for n in lengths]


@torch.no_grad()
def stream_tokens(
    row: torch.Tensor, limit: int, llm: LanguageModel, stop: list[int]
) -> Iterator[int]:
    """Each token after a row ``(L, H)`` as soon as it is there."""
    inputs, cache = row[None].to(llm.dtype), None
    for _ in range(limit):
        output = llm.model.base_model(inputs_embeds=inputs, past_key_values=cache, use_cache=True)
        token = int(llm.logits(output.last_hidden_state[0, -1:]).argmax())
        if token in stop:
            return
        yield token
        cache, inputs = output.past_key_values, llm.embed([token])[None]


def stream_text(ids: Iterable[int], tokenizer: PreTrainedTokenizerBase) -> Iterator[str]:
    """Pieces of text that the tokens spell, none of them empty; a character that takes several
    tokens comes whole."""
    found: list[int] = []
    shown = ""
    for token in ids:
        found.append(token)
        text = _decode(tokenizer, found)
        if len(text) > len(shown) and not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[len(shown) :]
            shown = text
    if rest := _decode(tokenizer, found)[len(shown) :]:
        yield rest


def _decode(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
