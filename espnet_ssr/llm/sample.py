"""Text that an LLM writes by itself: what it can be kept to where its training data is not at hand.

Tokens are drawn from its own distribution (temperature 1, nothing cut off), so that their
cross-entropy is the KL divergence from the LLM before training, up to a constant.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from espnet_ssr.datadir import write_lines
from espnet_ssr.llm.prompt import first_tokens
from espnet_ssr.progress import Progress


class TextSampler:
    """Draws documents: what the LLM writes after ``start``, up to a special token.

    Args:
        model: of transformers.
        tokenizer: its own.
        start: a text, maybe with special tokens; None: ``first_tokens``.
        length: tokens of a document at most; longer ones are cut there.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        start: str | None = None,
        length: int = 128,
    ):
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._start = first_tokens(tokenizer)
        if start is not None:
            self._start = tokenizer(start, add_special_tokens=False).input_ids
        if not self._start:
            raise ValueError("the start of a document must have at least one token")
        self._stop = sorted(tokenizer.all_special_ids)
        self._config = GenerationConfig(
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            num_beams=1,
            repetition_penalty=1.0,
            max_new_tokens=length,
            eos_token_id=self._stop,
            pad_token_id=self._stop[0],
        )

    def draw(self, count: int, seed: list[int]) -> list[str]:
        """``count`` documents less those that are empty, each in one line."""
        ids = self.draw_ids(count, seed)
        texts = (self._tokenizer.decode(row, skip_special_tokens=True) for row in ids)
        # What is left of a character that was cut, or was none, is no text.
        lines = (" ".join(text.replace("\N{REPLACEMENT CHARACTER}", "").split()) for text in texts)
        return [line for line in lines if line]

    @torch.inference_mode()
    def draw_ids(self, count: int, seed: list[int]) -> list[list[int]]:
        """Token ids of ``count`` documents, without what ends them.

        Args:
            seed: any numbers; the same give the same documents.
        """
        prompts = torch.tensor([self._start] * count, device=self._model.device)
        with torch.random.fork_rng():
            torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
            found = self._model.generate(
                prompts,
                attention_mask=torch.ones_like(prompts),
                generation_config=self._config,
            )
        rows = found[:, len(self._start) :].tolist()
        stop = set(self._stop)
        return [list(itertools.takewhile(lambda i: i not in stop, row)) for row in rows]


def write_sampled_text(
    draw: Callable[[int], list[str]],
    tokenizer: PreTrainedTokenizerBase,
    num_tokens: int,
    output: Path,
    settings: dict,
) -> int:
    """Write documents of at least ``num_tokens`` tokens in all, one a line, whole or not at all.

    Batches that are done are kept in a hidden folder beside ``output`` until it is complete, so a
    run that was stopped goes on where it was.

    Args:
        draw: the documents of batch ``n``, from 0.
        settings: all that the documents depend on.

    Returns:
        the number of tokens.

    Raises:
        ValueError: a batch has no text at all.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    parts = output.with_name(f".{output.name}.{digest}")
    parts.mkdir(parents=True, exist_ok=True)
    progress = Progress(num_tokens, "text")
    lines: list[str] = []
    for number in itertools.count():
        part = parts / str(number)
        if not part.is_file():
            write_lines(part, draw(number))
        documents = part.read_text(encoding="utf-8").splitlines()
        if not documents:
            raise ValueError(f"the LLM writes nothing ({settings}): try another start")
        for line in documents:
            lines.append(line)
            progress.update(len(tokenizer(line, add_special_tokens=False).input_ids))
            if progress.done >= num_tokens:
                write_lines(output, lines)
                shutil.rmtree(parts)
                return progress.done
