"""Low-rank adaptation (LoRA; Hu et al., arXiv 2106.09685) of a language model, by peft."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from espnet_ssr.llm.language_model import LanguageModel


class LoraLanguageModel(LanguageModel):
    """A language model whose adapters alone are trained; see peft's ``LoraConfig``.

    Args:
        model: of transformers; its own weights stay frozen.
        gradient_checkpointing: see ``LanguageModel``.
        rank: of the matrices that are added.
        alpha: they are scaled by ``alpha / rank``.
        dropout: on what goes into them.
        targets: linear layers that get them: names, or ``all-linear`` for all but the output layer.
        modules_to_save: whole modules that are trained and saved beside them (``lm_head``).
    """

    def __init__(
        self,
        model: PreTrainedModel,
        gradient_checkpointing: bool = False,
        rank: int = 16,
        alpha: float = 32.0,
        dropout: float = 0.0,
        targets: str | list[str] = "all-linear",
        modules_to_save: list[str] | None = None,
    ):
        super().__init__(model, gradient_checkpointing)
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=targets,
            modules_to_save=modules_to_save,
        )
        # peft changes ``model`` in place. What it returns is in a tuple, as a child of that name
        # would put every weight into checkpoints twice.
        self._adapted = (get_peft_model(model, config),)

    def original(self) -> AbstractContextManager:
        """Within this context there are no adapters."""
        return self._adapted[0].disable_adapter()

    def save_adapters(self, folder: Path) -> None:
        """Write the adapters as peft does, for ``PeftModel.from_pretrained``."""
        self._adapted[0].save_pretrained(folder)

    def merge(self) -> PreTrainedModel:
        """The model of transformers with the adapters added to its weights; this object is of no
        use any more."""
        return self._adapted[0].merge_and_unload()
