"""The tokenizer of the language model."""

from __future__ import annotations

from transformers import AutoTokenizer, BatchEncoding, PreTrainedTokenizerBase

from espnet_ssr.pretrained import resolve_model


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The LLM's tokenizer; it must be a fast one, as segments need character offsets."""
    tokenizer = AutoTokenizer.from_pretrained(resolve_model(name))
    if not tokenizer.is_fast:
        raise ValueError(f"{name}: no fast tokenizer, so tokens have no character offsets")
    return tokenizer


def tokenize_transcript(
    text: str, tokenizer: PreTrainedTokenizerBase, prefix_space: bool
) -> tuple[str, BatchEncoding]:
    """What of a transcript is tokenized, and its tokens with ``offset_mapping`` into that.

    Args:
        prefix_space: tokenize ``" " + text``, so that the first word has the token that it has
            anywhere else.
    """
    text = f" {text}" if prefix_space else text
    return text, tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
