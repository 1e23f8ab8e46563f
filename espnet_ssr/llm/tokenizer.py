"""The tokenizer of the language model."""

from __future__ import annotations

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from espnet_ssr.pretrained import resolve_model


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The LLM's tokenizer; it must be a fast one, as segments need character offsets."""
    tokenizer = AutoTokenizer.from_pretrained(resolve_model(name))
    if not tokenizer.is_fast:
        raise ValueError(f"{name}: no fast tokenizer, so tokens have no character offsets")
    return tokenizer
