"""A connector and the LLM that reads its vectors as one model of transformers.

Exported folders have this file and what it imports of ``espnet_ssr``, so that transformers loads
them where this package is not installed.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from espnet_ssr.connector import CONNECTORS
from espnet_ssr.connector.heads import HullHead
from espnet_ssr.connector.keys import StoredKeys
from espnet_ssr.connector.segments import seconds_to_frames


class SSRConfig(PreTrainedConfig):
    """What a model was built from.

    Args:
        connector: its kind.
        connector_conf: its options.
        hull: of a hull head ``num_tokens`` and ``key_size`` of its keys, and its options
            ``top_k`` and ``sharpness``; None: the head is linear.
        input_size: width ``D`` of the frame features.
        frame_rate: of them, frames a second.
        encoder: where they come from: ``name`` and ``conf`` of the encoder.
        prompts: task -> tokens that stand ``before`` and ``after`` the vectors, as in training.
        text_config: configuration of the LLM.
    """

    model_type = "ssr"
    sub_configs = {"text_config": AutoConfig}

    def __init__(
        self,
        connector: str = "ssr",
        connector_conf: dict[str, Any] | None = None,
        hull: dict[str, Any] | None = None,
        input_size: int = 384,
        frame_rate: float = 50.0,
        encoder: dict[str, Any] | None = None,
        prompts: dict[str, dict[str, list[int]]] | None = None,
        text_config: dict[str, Any] | PreTrainedConfig | None = None,
        **kwargs,
    ):
        self.connector = connector
        self.connector_conf = connector_conf or {}
        self.hull = hull
        self.input_size = input_size
        self.frame_rate = frame_rate
        self.encoder = encoder or {}
        self.prompts = prompts or {}
        if not isinstance(text_config, PreTrainedConfig):
            text_config = AutoConfig.for_model(**(text_config or {"model_type": "llama"}))
        self.text_config = text_config
        super().__init__(**kwargs)


class SSRForCausalLM(PreTrainedModel):
    """A connector in front of its LLM.

    ``connect`` gives vectors of speech, in the space of the LLM's embeddings; ``forward`` and
    ``generate`` are the LLM's, which takes them, between embeddings of text, as ``inputs_embeds``.
    """

    config_class = SSRConfig
    base_model_prefix = ""
    _supports_sdpa = True
    # The LLM may be loaded in bfloat16; the connector is small, and its sums are long. These are
    # regular expressions: all but token numbers, which would become floats, too.
    _keep_in_fp32_modules_strict = [r"connector(?!\.output\.keys\.ids)"]

    def __init__(self, config: SSRConfig, language_model: PreTrainedModel | None = None):
        super().__init__(config)
        if language_model is None:
            language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.language_model = language_model
        self.connector = CONNECTORS[config.connector](
            config.input_size,
            language_model.get_input_embeddings().embedding_dim,
            **config.connector_conf,
        )
        if config.hull is not None:
            self.connector.output = _build_hull(self.connector.output, **config.hull)
            self.connector.attach(self._embed)
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        """All weights are loaded."""

    def get_input_embeddings(self) -> torch.nn.Module:
        """Of the LLM."""
        return self.language_model.get_input_embeddings()

    def get_output_embeddings(self) -> torch.nn.Module:
        """Of the LLM."""
        return self.language_model.get_output_embeddings()

    def _embed(self, token_id: torch.Tensor) -> torch.Tensor:
        return self.get_input_embeddings()(token_id)

    def connect(
        self,
        feats: torch.Tensor,
        feats_lengths: torch.Tensor | None = None,
        token_end: torch.Tensor | None = None,
        token_lengths: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of a batch of utterances.

        Args:
            feats: frame features ``(B, T, D)``.
            feats_lengths: ``(B,)`` in frames; None: all are whole.
            token_end: end ``(B, M)`` of each segment in seconds, never decreasing, for connectors
                that need segments.
            token_lengths: ``(B,)`` segments; None: all rows are whole; without ``token_end``, the
                connector decides how many vectors there are.

        Returns:
            vectors ``(B, N, H)`` in the LLM's dtype, zero after each length, and lengths ``(B,)``.

        Raises:
            ValueError: the connector needs segments and there are none, or more than frames.
        """
        if feats_lengths is None:
            feats_lengths = torch.full((len(feats),), feats.size(1), device=feats.device)
        frames = None
        if self.connector.needs_segmentation:
            if token_end is None:
                raise ValueError("this connector needs segments: give token_end, in seconds")
            if token_lengths is None:
                token_lengths = torch.full((len(feats),), token_end.size(1), device=feats.device)
            if (token_lengths > feats_lengths).any():
                raise ValueError("there are more segments than frames")
            frames = seconds_to_frames(
                token_end, token_lengths, feats_lengths, self.config.frame_rate
            )
        output = self.connector(feats.float(), feats_lengths, frames, token_lengths)
        return output.embeds.to(self.language_model.dtype), output.lengths

    def prompt_embeds(self, task: str, vectors: torch.Tensor) -> torch.Tensor:
        """What the LLM reads ``(B, L, H)``: a prompt of the configuration around vectors
        ``(B, N, H)``, all of one length."""
        prompt, embed = self.config.prompts[task], self.get_input_embeddings()
        before, after = (
            embed(torch.tensor(prompt[part], dtype=torch.long, device=vectors.device))
            for part in ("before", "after")
        )
        around = (len(vectors), -1, -1)
        return torch.cat([before.expand(*around), vectors, after.expand(*around)], dim=1)

    def forward(self, **inputs):
        """The LLM's: ``input_ids`` or ``inputs_embeds (B, L, H)``, ``attention_mask`` and so on."""
        return self.language_model(**inputs)

    def generate(self, **inputs) -> torch.Tensor:
        """The LLM's: with ``inputs_embeds`` it gives the new tokens alone."""
        return self.language_model.generate(**inputs)


def _build_hull(
    linear: torch.nn.Linear, num_tokens: int, key_size: int, top_k: int, sharpness: float
) -> HullHead:
    """A hull head in place of the one that connectors are built with; its keys are loaded."""
    return HullHead(
        linear.in_features,
        linear.out_features,
        StoredKeys.empty(num_tokens, key_size),
        top_k=top_k,
        sharpness=sharpness,
    )
