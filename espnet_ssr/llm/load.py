"""Language models by name: frozen, or to be fine-tuned."""

from __future__ import annotations

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.pretrained import resolve_model

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_llm(name: str, dtype: str = "float32", pretrained: bool = True) -> PreTrainedModel:
    """A causal language model with fused attention.

    Args:
        name: see ``espnet_ssr.pretrained.resolve_model``.
        dtype: float32, bfloat16 or float16, of the weights.
        pretrained: False: random weights, for tests; only ``config.json`` is read.
    """
    if dtype not in _DTYPES:
        raise ValueError(f"llm_conf: dtype: unknown {dtype!r}; there are {', '.join(_DTYPES)}")
    path, options = resolve_model(name), {"dtype": _DTYPES[dtype], "attn_implementation": "sdpa"}
    if pretrained:
        return AutoModelForCausalLM.from_pretrained(path, **options)
    return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path), **options)


def load_language_model(
    name: str, dtype: str = "float32", gradient_checkpointing: bool = False, pretrained: bool = True
) -> LanguageModel:
    """``load_llm`` and ``LanguageModel`` in one, frozen; ``llm_conf`` of a training."""
    return LanguageModel(load_llm(name, dtype, pretrained), gradient_checkpointing)
