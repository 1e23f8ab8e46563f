"""A connector and its LLM as one folder that transformers loads without this package."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from espnet_ssr.connector.abs import AbsConnector
from espnet_ssr.connector.heads import HullHead
from espnet_ssr.datadir import replaced_dir
from espnet_ssr.encoder import ENCODERS
from espnet_ssr.export.card import public_name, transformers_usage, write_card
from espnet_ssr.export.llm import merge_adapters
from espnet_ssr.export.modeling_ssr import SSRConfig, SSRForCausalLM
from espnet_ssr.export.remote_code import ROOT, flat_name, write_remote_code
from espnet_ssr.llm.prompt import Prompt
from espnet_ssr.llm.tokenizer import load_tokenizer
from espnet_ssr.speech_lm.folder import ModelFiles
from espnet_ssr.speech_lm.load import find_encoder, read_prompts, read_training
from espnet_ssr.task.trained import load_trained

CLASSES = {
    "AutoConfig": "modeling_ssr.SSRConfig",
    "AutoModel": "modeling_ssr.SSRForCausalLM",
    "AutoModelForCausalLM": "modeling_ssr.SSRForCausalLM",
}


def export_model(files: ModelFiles, folder: Path) -> None:
    """Write weights (safetensors), configuration, code, tokenizer and model card to a new folder,
    which replaces an old one of this kind, whole or not at all.

    Raises:
        ValueError: the connector cannot be had without the package, or the encoder is not known.
        FileExistsError: the folder has something else in it.
    """
    if folder.exists() and not (folder / "modeling_ssr.py").is_file():
        raise FileExistsError(f"{folder} is there already and no exported model")
    args = read_training(files)
    name, conf = find_encoder(files, args)
    public = {key: public_name(value) for key, value in conf.items() if key == "model"}
    encoder = {"name": name, "conf": {**conf, **public}}
    encoder_class = ENCODERS[name]
    encoder_module = encoder_class.__module__.removeprefix(ROOT)
    with replaced_dir(folder) as new:
        write_remote_code(args.connector, ["export.modeling_ssr", encoder_module], new)
        exported = build_exported(files, args, encoder)
        exported.save_pretrained(new)
        load_tokenizer(args.llm).save_pretrained(new)
        usage = transformers_usage(
            encoder,
            f"{flat_name(encoder_module)}.{encoder_class.__name__}",
            exported.connector.needs_segmentation,
        )
        write_card(files, args, new, usage)


def build_exported(files: ModelFiles, args: Namespace, encoder: dict) -> SSRForCausalLM:
    """The model with its weights.

    Args:
        encoder: see ``SSRConfig``.
    """
    model, llm = load_trained(args, files.model_file)
    model.connector.store_keys()
    language_model = merge_adapters(llm)
    # The LLM's own folder says it in generation_config.json, which it has not got here.
    ends = language_model.generation_config.eos_token_id
    language_model.config.eos_token_id = ends
    language_model.config._name_or_path = ""  # a folder of this machine
    tokenizer = load_tokenizer(args.llm)
    templates = read_prompts(files, args).items()
    config = SSRConfig(
        connector=args.connector,
        connector_conf=args.connector_conf,
        hull=describe_hull(model.connector),
        input_size=model.encoder.output_size() if model.encoder else args.input_size,
        frame_rate=model.frame_rate,
        encoder=encoder,
        prompts={task: prompt_tokens(Prompt(tokenizer, text)) for task, text in templates},
        text_config=language_model.config,
        tie_word_embeddings=language_model.config.tie_word_embeddings,
        auto_map=CLASSES,
    )
    exported = SSRForCausalLM(config, language_model)
    exported.connector.load_state_dict(model.connector.state_dict())
    return exported


def describe_hull(connector: AbsConnector) -> dict | None:
    """See ``SSRConfig``."""
    head = connector.output
    if not isinstance(head, HullHead):
        return None
    size = {"num_tokens": len(head.keys.ids), "key_size": head.keys.size}
    return {**size, "top_k": head.top_k, "sharpness": head.sharpness}


def prompt_tokens(prompt: Prompt) -> dict[str, list[int]]:
    """What stands around the vectors."""
    return {"before": prompt.before, "after": prompt.after}
