"""What stands around the speech vectors, and what the LLM is to predict after them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import yaml
from transformers import PreTrainedTokenizerBase

from espnet_ssr.batching import bucket_by_length
from espnet_ssr.llm.language_model import LanguageModel

PROMPTS: Mapping[str, str] = yaml.safe_load(
    Path(__file__).with_name("prompts.yaml").read_text(encoding="utf-8")
)
"""Task -> template of ``Prompt`` or ``Dictation``."""

DICTATED = "<dictated>"


class Row(NamedTuple):
    """What the LLM reads, ``(L, H)``, and the tokens ``(M,)`` that its last M states predict; with
    a stride of n, the last, the n-th before it and so on."""

    inputs: torch.Tensor
    targets: torch.Tensor
    stride: int = 1

    def predicting(self, states: torch.Tensor) -> torch.Tensor:
        """``(M, H)`` of the states ``(L or more, H)``."""
        end = len(self.inputs)
        return states[max(0, end - self.stride * (len(self.targets) - 1) - 1) : end : self.stride]


class Prompt:
    """``before<speech>after<text>end``: the LLM predicts transcript and end; or
    ``before<speech>``: it predicts each token of the speech from what comes before.

    The texts may be empty or hold special tokens (``<|im_start|>``). What the tokenizer puts before
    every text (Llama's ``<s>``) comes first. ``after`` is without a space at its end, as the
    transcript begins with one.

    Args:
        tokenizer: the LLM's.
        template: see above and ``prompts.yaml``.

    Attributes:
        kind: ``write`` or ``continue``.
        can_be_taught: it can be read with the text's own embeddings in place of the vectors, and
            what the LLM then predicts is worth learning.

    Raises:
        ValueError: the template is of another form; or nothing stands before the transcript, so
            that its first token had nothing to be predicted from if there were no vectors.
    """

    can_be_taught = True

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: str = PROMPTS["transcribe"]):
        found = re.fullmatch("(.*)<speech>(?:(.*)<text>(.*))?", template, re.DOTALL)
        if not found or any(mark in "".join(found.groups("")) for mark in ("<speech>", "<text>")):
            raise ValueError(
                f"prompt {template!r}: it must be '...<speech>...<text>...' or '...<speech>'"
            )
        self.tokenizer = tokenizer
        self.template = template
        self.kind = "continue" if found[2] is None else "write"
        self.before, self.after, self.end = (
            tokenizer(text, add_special_tokens=False).input_ids for text in found.groups("")
        )
        self.before = with_start(self.before, tokenizer)
        if self.kind == "write" and not self.before + self.after:
            raise ValueError(f"prompt {template!r}: give a text before or after <speech>")

    def around(self, vectors: torch.Tensor, llm: LanguageModel) -> torch.Tensor:
        """Vectors ``(N, H)`` with the embeddings of the texts around them ``(L, H)``."""
        parts = [llm.embed(self.before), vectors.to(llm.dtype), llm.embed(self.after)]
        return torch.cat(parts)

    def fill(
        self, vectors: torch.Tensor, ids: torch.Tensor, llm: LanguageModel, end: bool = True
    ) -> Row:
        """The row of one utterance.

        Args:
            vectors: ``(N, H)``; one a token if the template has no ``<text>``.
            ids: tokens ``(M,)`` of the transcript.
            end: predict what the template has after ``<text>``, too.
        """
        if self.kind == "write":
            targets = torch.cat([ids, ids.new_tensor(self.end)]) if end else ids
            inputs = [self.around(vectors, llm), llm.embed(targets[:-1])]
        else:
            # A first token that nothing comes before is not predicted.
            targets = ids if self.before else ids[1:]
            inputs = [llm.embed(self.before), vectors[:-1].to(llm.dtype)]
        return Row(torch.cat(inputs), targets)


class Dictation:
    """``before<dictated>``: the LLM reads a vector, writes its token, reads the next vector and so
    on; each token is predicted from the vectors up to its own and the tokens before it.

    For connectors with a vector for each token. The LLM cannot lose its place, as it can when it
    reads all vectors first. Not in the paper.

    Raises:
        ValueError: the template is of another form.
    """

    kind = "dictate"
    can_be_taught = False

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: str = PROMPTS["dictate"]):
        text, mark, rest = template.partition(DICTATED)
        if not mark or rest:
            raise ValueError(f"prompt {template!r}: it must be '...{DICTATED}'")
        self.tokenizer = tokenizer
        self.template = template
        ids = tokenizer(text, add_special_tokens=False).input_ids
        self.before = with_start(ids, tokenizer)

    def fill(
        self, vectors: torch.Tensor, ids: torch.Tensor, llm: LanguageModel, end: bool = True
    ) -> Row:
        """The row of one utterance: vectors and ids ``(M, H)``, ``(M,)``. There is no end."""
        pairs = torch.stack([vectors.to(llm.dtype), llm.embed(ids)], 1).flatten(0, 1)
        return Row(torch.cat([llm.embed(self.before), pairs[:-1]]), ids, stride=2)


def make_prompt(tokenizer: PreTrainedTokenizerBase, template: str) -> Prompt | Dictation:
    """The kind of prompt that a template is of."""
    return (Dictation if DICTATED in template else Prompt)(tokenizer, template)


def text_row(ids: torch.Tensor, llm: LanguageModel) -> Row:
    """Text alone ``(M,)``: each token but the first is predicted."""
    return Row(llm.embed(ids[:-1]), ids[1:])


def predicting_states(rows: Sequence[Row], llm: LanguageModel) -> torch.Tensor:
    """Hidden states ``(S, H)`` that the LLM predicts the targets of all rows from, S in sum.

    The LLM reads rows of like length at a time: tasks differ in length by far more than utterances
    of a batch do, and padding costs as much time and memory as tokens.
    """
    found = {}
    lengths = torch.tensor([len(row.inputs) if len(row.targets) else 0 for row in rows])
    for bucket in bucket_by_length(lengths, growth=2.0):
        chosen = [rows[n] for n in bucket.tolist()]
        hidden = llm.hidden([row.inputs for row in chosen])
        for n, row, states in zip(bucket.tolist(), chosen, hidden, strict=True):
            found[n] = row.predicting(states)
    nothing = rows[0].inputs.new_zeros(0, llm.width)
    return torch.cat([found.get(n, nothing) for n in range(len(rows))])


def with_start(ids: list[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """After what the tokenizer puts before every text, once."""
    start = start_tokens(tokenizer)
    return ids if ids[: len(start)] == start else start + ids


def start_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What the tokenizer puts before every text: ``[]``, or the token that begins a sequence."""
    plain = tokenizer("a", add_special_tokens=False).input_ids
    ids = tokenizer("a").input_ids
    return ids[: ids.index(plain[0])]


def first_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What a text is read or written after: what the tokenizer puts before every text; without
    such, the token that begins or else ends a sequence, as in lm-evaluation-harness.

    Raises:
        ValueError: the tokenizer has none of them.
    """
    if found := start_tokens(tokenizer):
        return found
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return [token]
    raise ValueError("the tokenizer has no token that begins or ends a text")


def stop_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Tokens that end a transcript: the tokenizer's end, and all with a line break."""
    # How line breaks are spelled in vocabularies of bytes, of SentencePiece and of neither. Only
    # what looks like one is decoded, as decoding all takes seconds.
    spelled = re.compile("\N{LATIN CAPITAL LETTER C WITH DOT ABOVE}|<0x0A>|\n")
    likely = [i for token, i in tokenizer.get_vocab().items() if spelled.search(token)]
    stop = {i for i in likely if "\n" in tokenizer.decode([i])}
    return sorted(stop | {tokenizer.eos_token_id} - {None})
