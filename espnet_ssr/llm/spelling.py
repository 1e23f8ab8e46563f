"""Which tokens of an LLM can be spoken, and what they are spelled or pronounced with."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from transformers import PreTrainedTokenizerBase

from espnet_ssr.align.vocabulary import is_byte_level

PUNCTUATION = frozenset(".,?!;:'\"-’")
"""What may stand in a transcript beside letters, marks and digits."""

BYTE_TOKEN = re.compile(r"<0x[0-9A-Fa-f]{2}>")


def spoken_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """Token -> its text, with a space where it begins a word, of all that can be in a transcript.

    Left out by rule: special and added tokens, pieces of a character (byte-level BPE cuts some,
    byte fallback all), white space alone, and what has any character that is no letter, mark, digit
    or ``PUNCTUATION``, such as most tokens of program code.

    Raises:
        ValueError: the tokenizer tells no texts of its tokens.
    """
    byte_level = is_byte_level(tokenizer.backend_tokenizer)
    left_out = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    found = {}
    for token, index in tokenizer.get_vocab().items():
        text = _from_bytes(token) if byte_level else _from_pieces(token)
        if index not in left_out and text and _is_spoken(text):
            found[index] = text
    if not found:
        raise ValueError(f"{tokenizer.name_or_path}: no token has a text that can be spoken")
    return found


def _is_spoken(text: str) -> bool:
    body = text.removeprefix(" ")
    return bool(body) and all(c in PUNCTUATION or unicodedata.category(c)[0] in "LMN" for c in body)


def _byte_letters() -> dict[str, int]:
    """GPT-2's letter for each byte: printable ones are themselves, others come after U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(others)}


_BYTES = _byte_letters()


def _from_bytes(token: str) -> str | None:
    """Text of a byte-level token; None where it is no whole characters."""
    try:
        return bytes(_BYTES[letter] for letter in token).decode()
    except (KeyError, UnicodeDecodeError):
        return None


def _from_pieces(token: str) -> str | None:
    """Text of a SentencePiece token; None for a byte."""
    return None if BYTE_TOKEN.fullmatch(token) else token.replace("▁", " ")


def pronounced_tokens(
    tokens: Mapping[int, str], lookup: Callable[[str], str | None]
) -> dict[int, Sequence[str]]:
    """Token -> phones, with its space and punctuation; letters where ``lookup`` knows none.

    Args:
        tokens: as of ``spoken_tokens``.
        lookup: a lower-case word -> its phones separated by spaces, or None.
    """
    pronounced = {}
    for index, text in tokens.items():
        symbols: list[str] = []
        for part in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*|.", text, re.DOTALL):
            phones = lookup(part.lower().replace("’", "'"))
            # The case of a word is not in its sound, and the LLM tells its tokens apart by it.
            symbols += ["^"] if part[0].isupper() else []
            symbols += phones.split() if phones else list(part)
        pronounced[index] = symbols
    return pronounced
