"""A whole language model: its hidden states and logits for vectors instead of tokens."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache, GenerationConfig, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer


class LanguageModel(torch.nn.Module):
    """A language model that reads vectors; frozen until somebody says what is to be trained.

    It keeps the dtype of its weights: ``.to(train_dtype)`` of a model that holds it moves it to
    another device at most. While nothing of it is trained it stays in evaluation mode.

    Args:
        model: of transformers; its weights are frozen.
        gradient_checkpointing: keep each layer's input only, compute the rest again in the
            backward pass: a third more time, a fraction of the memory.

    Raises:
        ValueError: the model's logits are not its output layer on its last hidden states (some
            families scale or cap them), or it has no layers to checkpoint.
    """

    def __init__(self, model: PreTrainedModel, gradient_checkpointing: bool = False):
        super().__init__()
        self.model = model.requires_grad_(False).eval()
        self._check_logits()
        if gradient_checkpointing:
            _checkpoint_layers(model)

    @property
    def dtype(self) -> torch.dtype:
        return self.model.get_input_embeddings().weight.dtype

    @property
    def device(self) -> torch.device:
        return self.model.get_input_embeddings().weight.device

    @property
    def width(self) -> int:
        """``H``, of the vectors that it reads."""
        return self.model.get_input_embeddings().embedding_dim

    def embed(self, ids: Iterable[int] | torch.Tensor) -> torch.Tensor:
        """Embeddings ``(M, H)`` of token ids ``(M,)``."""
        ids = torch.as_tensor(ids, dtype=torch.long, device=self.device)
        return self.model.get_input_embeddings()(ids)

    def embedding_matrix(self) -> torch.Tensor:
        """All embeddings ``(V, H)``, float32."""
        return self.embed(range(self.model.get_input_embeddings().num_embeddings)).float()

    def hidden(self, rows: list[torch.Tensor]) -> torch.Tensor:
        """Last hidden states ``(B, L, H)`` for rows of vectors ``(L_b, H)``, padded at the end.

        No mask is needed: attention is causal, and padding comes after all that is read out.
        """
        inputs = pad_sequence([row.to(self.dtype) for row in rows], batch_first=True)
        return self.model.base_model(inputs_embeds=inputs, use_cache=False).last_hidden_state

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """``(S, H)`` -> ``(S, V)``."""
        return self.model.get_output_embeddings()(hidden)

    @torch.no_grad()
    def generate(
        self, rows: list[torch.Tensor], stop: list[int], max_tokens: int
    ) -> list[list[int]]:
        """The likeliest next token again and again, until a token of ``stop`` (left out).

        Args:
            rows: vectors ``(L_b, H)``, at least one each.
            max_tokens: at most so many.
        """
        ones = [torch.ones(len(row), dtype=torch.long, device=self.device) for row in rows]
        inputs = [row.to(self.dtype) for row in rows]
        config = GenerationConfig(
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            max_new_tokens=max_tokens,
            eos_token_id=stop,
            pad_token_id=stop[0],
        )
        found = self.model.generate(
            inputs_embeds=pad_sequence(inputs, batch_first=True, padding_side="left"),
            attention_mask=pad_sequence(ones, batch_first=True, padding_side="left"),
            generation_config=config,
        )
        return [_before(ids, set(stop)) for ids in found.tolist()]

    @torch.no_grad()
    def dictate(self, before: Iterable[int], rows: list[torch.Tensor]) -> list[list[int]]:
        """The likeliest token after each vector, which is read before the next vector.

        Args:
            before: token ids that come first.
            rows: vectors ``(N_b, H)``, at least one each.
        """
        vectors = pad_sequence([row.to(self.dtype) for row in rows], batch_first=True)
        first = self.embed(before).expand(len(rows), -1, -1)
        inputs, cache, found = torch.cat([first, vectors[:, :1]], 1), DynamicCache(), []
        for n in range(1, vectors.size(1) + 1):
            output = self.model.base_model(
                inputs_embeds=inputs, past_key_values=cache, use_cache=True
            )
            ids = self.logits(output.last_hidden_state[:, -1]).argmax(-1)
            found.append(ids)
            inputs = torch.cat([self.embed(ids)[:, None], vectors[:, n : n + 1]], 1)
        written = torch.stack(found, 1).tolist()
        return [ids[: len(row)] for ids, row in zip(written, rows, strict=True)]

    def train(self, mode: bool = True) -> LanguageModel:
        """Stay in evaluation mode if nothing is trained: dropout would be noise."""
        return super().train(mode and any(p.requires_grad for p in self.parameters()))

    def original(self) -> AbstractContextManager:
        """Within this context it is the model that training began with, for reading only.

        Raises:
            ValueError: its own weights are trained, so that the original is gone.
        """
        if any(p.requires_grad for p in self.parameters()):
            raise ValueError("all weights of the LLM are trained: load the original beside it")
        return nullcontext()

    def _apply(self, fn, recurse: bool = True):
        def keep_dtype(tensor: torch.Tensor) -> torch.Tensor:
            # What ``fn`` does to a tensor of this dtype and device shows on an empty one.
            probe = fn(tensor.new_empty(0))
            return fn(tensor) if probe.dtype == tensor.dtype else tensor.to(probe.device)

        return super()._apply(keep_dtype, recurse)

    @torch.no_grad()
    def _check_logits(self) -> None:
        ids = torch.tensor([[0, 1]], device=self.device)
        expected = self.model(input_ids=ids).logits[0]
        found = self.logits(self.hidden([self.embed(ids[0])])[0])
        if not torch.allclose(found.float(), expected.float(), rtol=1e-2, atol=1e-2):
            raise ValueError(
                f"{type(self.model).__name__}: its logits are not its output layer on its last "
                "hidden states (scaled or capped logits?); such models are not supported"
            )


def _checkpoint_layers(model: PreTrainedModel) -> None:
    """Gradient checkpointing in both modes; transformers' own acts in training mode only."""
    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    if not layers:
        raise ValueError(f"{type(model).__name__}: no layers for gradient_checkpointing")
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def _before(ids: list[int], stop: set[int]) -> list[int]:
    end = next((n for n, i in enumerate(ids) if i in stop), len(ids))
    return ids[:end]
