"""What stands around the speech vectors when the LLM shall write down what was said."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase

from espnet_ssr.llm.load import FrozenLLM


class Prompt:
    """``[before] vectors [after] transcript [end]``.

    The texts may hold special tokens (``<|im_start|>``). What the tokenizer puts before every text
    (Llama's ``<s>``) comes first.

    The default was the best of 12 by far for SmolLM2-135M-Instruct reading the embeddings of a text
    in place of vectors (52 sentences): 0.33 nats a token of the same text, against 4.88 after
    another one and 5.42 after none; its chat template 1.22, a line break alone 2.23.

    Args:
        tokenizer: the LLM's.
        before: text before the vectors.
        after: text between the vectors and the transcript; without a space at its end, as the
            transcript begins with one.
        end: text after the transcript that is predicted, too; empty: nothing is.

    Raises:
        ValueError: nothing stands before the transcript, so that its first token had nothing to
            be predicted from if there were no vectors.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        before: str = "She said:",
        after: str = "\nHe repeated:",
        end: str = "\n",
    ):
        self.tokenizer = tokenizer
        self.before, self.after, self.end = (
            tokenizer(text, add_special_tokens=False).input_ids for text in (before, after, end)
        )
        start = start_tokens(tokenizer)
        if self.before[: len(start)] != start:
            self.before = start + self.before
        if not self.before + self.after:
            raise ValueError("prompt_conf: give a text before or after the vectors")

    def around(self, vectors: torch.Tensor, llm: FrozenLLM) -> torch.Tensor:
        """Vectors ``(N, H)`` with the embeddings of the texts around them ``(L, H)``."""
        parts = [llm.embed(self.before), vectors.to(llm.dtype), llm.embed(self.after)]
        return torch.cat(parts)

    def states(
        self, vectors: Sequence[torch.Tensor], targets: Sequence[torch.Tensor], llm: FrozenLLM
    ) -> torch.Tensor:
        """Hidden states ``(S, H)`` from which the LLM predicts targets after vectors.

        Args:
            vectors: ``(N_b, H)`` of each utterance, N_b may be 0.
            targets: token ids ``(M_b,)`` of each utterance; ``S`` is the sum of ``M_b``.
        """
        rows = [
            torch.cat([self.around(v, llm), llm.embed(ids[:-1])])
            for v, ids in zip(vectors, targets, strict=True)
        ]
        last = [
            states[len(row) - len(ids) : len(row)]
            for states, row, ids in zip(llm.hidden(rows), rows, targets, strict=True)
        ]
        return torch.cat(last)


def start_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What the tokenizer puts before every text: ``[]``, or the token that begins a sequence."""
    plain = tokenizer("a", add_special_tokens=False).input_ids
    ids = tokenizer("a").input_ids
    return ids[: ids.index(plain[0])]


def stop_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Tokens that end a transcript: the tokenizer's end, and all with a line break."""
    # How line breaks are spelled in vocabularies of bytes, of SentencePiece and of neither. Only
    # what looks like one is decoded, as decoding all takes seconds.
    spelled = re.compile("\N{LATIN CAPITAL LETTER C WITH DOT ABOVE}|<0x0A>|\n")
    likely = [i for token, i in tokenizer.get_vocab().items() if spelled.search(token)]
    stop = {i for i in likely if "\n" in tokenizer.decode([i])}
    return sorted(stop | {tokenizer.eos_token_id} - {None})
