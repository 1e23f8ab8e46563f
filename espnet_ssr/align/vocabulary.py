"""How an LLM's vocabulary writes a text; takes tokenizers of the package ``tokenizers``."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@lru_cache(maxsize=4)
def is_byte_level(tokenizer: Tokenizer) -> bool:
    """Whether tokens are written with GPT-2's letters for bytes."""
    model = json.loads(tokenizer.to_str())
    return "ByteLevel" in json.dumps([model.get("decoder"), model.get("pre_tokenizer")])


def spell(text: str, tokenizer: Tokenizer) -> list[int]:
    """The token whose string is ``text``, which begins with a space if it begins a word; else the
    tokens of it, without one of a space alone; maybe none."""
    write = _byte_letters if is_byte_level(tokenizer) else _pieces
    whole = tokenizer.token_to_id(write(text))
    if whole is not None:  # SentencePiece would tokenize it as the start of a word
        return [whole]
    space = tokenizer.token_to_id(write(" "))
    return [i for i in tokenizer.encode(text, add_special_tokens=False).ids if i != space]


def _byte_letters(text: str) -> str:
    """As a byte-level vocabulary writes it."""
    from tokenizers.pre_tokenizers import ByteLevel

    parts = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return "".join(part for part, _ in parts)


def _pieces(text: str) -> str:
    """As SentencePiece writes it."""
    return text.replace(" ", "▁")
