"""A fine-tuned LLM as plain transformers has it."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from espnet_ssr.datadir import replaced_dir
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.lora import LoraLanguageModel
from espnet_ssr.llm.tokenizer import load_tokenizer
from espnet_ssr.speech_lm.folder import ModelFiles
from espnet_ssr.speech_lm.load import read_training
from espnet_ssr.task.trained import load_trained


def merge_adapters(llm: LanguageModel) -> PreTrainedModel:
    """The model of transformers, adapters added to its weights if there are any; ``llm`` is of no
    use any more."""
    if not isinstance(llm, LoraLanguageModel):
        return llm.model
    dtype = llm.dtype
    # In bfloat16 most of what adapters change would be rounded away before it is added.
    llm.model.float()
    return llm.merge().to(dtype)


def save_merged(files: ModelFiles, folder: Path) -> None:
    """Write the LLM of a training and its tokenizer to a new folder, which replaces an old one of
    this kind.

    Raises:
        ValueError: the training left the LLM as it was.
        FileExistsError: the folder has something else in it.
    """
    if folder.exists() and not (folder / "config.json").is_file():
        raise FileExistsError(f"{folder} is there already and no model of transformers")
    args = read_training(files)
    if getattr(args, "finetune", "none") == "none":
        raise ValueError(f"{files.model_file}: the LLM was not trained: it is {args.llm} itself")
    _, llm = load_trained(args, files.model_file)
    with replaced_dir(folder) as new:
        merge_adapters(llm).save_pretrained(new)
        load_tokenizer(args.llm).save_pretrained(new)
