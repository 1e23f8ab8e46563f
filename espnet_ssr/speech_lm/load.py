"""From the files of a model to what computes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import yaml
from transformers import PreTrainedTokenizerBase

from espnet_ssr.align import ALIGNERS, AbsAligner, aligner_factory
from espnet_ssr.align.trained import load_trained_aligner
from espnet_ssr.conf import build_from_conf
from espnet_ssr.encoder import ENCODERS, AbsEncoder
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import DICTATED, PROMPTS
from espnet_ssr.llm.tokenizer import load_tokenizer
from espnet_ssr.model.head import change_head
from espnet_ssr.model.speech import SpeechModel
from espnet_ssr.speech_lm.folder import ModelFiles
from espnet_ssr.speech_lm.listener import Listener
from espnet_ssr.speech_lm.segments import Segmenter
from espnet_ssr.task.trained import load_trained


class LoadedModel(NamedTuple):
    """A model in evaluation mode; ``prompts``: task -> template."""

    listener: Listener
    llm: LanguageModel
    tokenizer: PreTrainedTokenizerBase
    prompts: Mapping[str, str]


def load_model(
    files: ModelFiles,
    device: str = "cpu",
    dtype: str | torch.dtype | None = None,
    aligner: AbsAligner | None = None,
) -> LoadedModel:
    """Build everything and load the weights.

    Args:
        dtype: of the LLM's weights; None: the training's. All else is float32.
        aligner: instead of the one that ``files`` names.
    """
    args = read_training(files)
    model, llm = load_trained(args, files.model_file)
    if dtype is not None:
        llm.model.to(as_dtype(dtype))  # not llm.to, which keeps its dtype
    model.connector.store_keys()
    for module in (model, llm):
        module.to(device).requires_grad_(False).eval()
    tokenizer = load_tokenizer(args.llm)
    encoder, aligner_encoder = (e and e.to(device) for e in build_encoders(files, model, args))
    if aligner is None and files.aligner is not None:
        aligner = load_aligner(files.aligner, files.aligner_conf, device)
    segmenter = Segmenter(aligner, tokenizer, files.prefix_space, files.textless_unit)
    listener = Listener(model, encoder, segmenter, aligner_encoder, files.max_pause)
    return LoadedModel(listener, llm, tokenizer, read_prompts(files, args))


def read_prompts(files: ModelFiles, args: Namespace) -> dict[str, str]:
    """Task -> template: those of everybody, of the training, and of ``files``; without dictation,
    which is not written after all speech was read."""
    templates = {**PROMPTS, **(getattr(args, "prompts", None) or {}), **files.prompts}
    return {task: text for task, text in templates.items() if DICTATED not in text}


def read_training(files: ModelFiles) -> Namespace:
    """The training's options, with what ``files`` says otherwise."""
    config = yaml.safe_load(Path(files.config).read_text(encoding="utf-8"))
    if files.llm is not None:
        config["llm"] = files.llm
    change_head(config, files.head_conf)
    if files.connector_aligner is not None:
        config["connector_conf"]["aligner"] = str(files.connector_aligner)
    if files.dictionary is not None:
        config["head_conf"]["dictionary"] = str(files.dictionary)
    return Namespace(**config)


def find_encoder(files: ModelFiles, args: Namespace) -> tuple[str, dict]:
    """Name and options of the encoder whose features the connector takes.

    Raises:
        ValueError: it is not known, or known twice.
    """
    if args.input_size is None:
        if files.encoder is not None:
            raise ValueError(f"encoder: {files.config} says it already: {args.encoder}")
        return args.encoder, args.encoder_conf
    if files.encoder is None:
        raise ValueError(
            f"{files.model_file} was trained on extracted features: say of which encoder, for "
            "example encoder='whisper', encoder_conf={'model': 'whisper-tiny.en'}; of a command, "
            "--encoder whisper --encoder_conf model=whisper-tiny.en"
        )
    return files.encoder, files.encoder_conf


def build_encoders(
    files: ModelFiles, model: SpeechModel, args: Namespace
) -> tuple[AbsEncoder, AbsEncoder | None]:
    """The connector's encoder, and the aligner's if that is another one.

    Raises:
        ValueError: see ``find_encoder``; or it gives other features than were trained on.
    """
    name, conf = find_encoder(files, args)
    encoder = model.encoder
    if encoder is None:
        encoder = _build_encoder(name, conf)
        found = encoder.output_size(), encoder.frame_rate
        if found != (args.input_size, args.frame_rate):
            raise ValueError(
                f"encoder {name} {conf or ''}: {found[0]} numbers a frame at {found[1]:g} Hz, but "
                f"the connector was trained on {args.input_size} at {args.frame_rate:g} Hz"
            )
    if files.aligner_encoder_conf is None:
        return encoder, None
    return encoder, _build_encoder(name, {**conf, **files.aligner_encoder_conf})


def _build_encoder(name: str, conf: dict) -> AbsEncoder:
    if name not in ENCODERS:
        raise ValueError(f"unknown encoder {name!r}: choose from {', '.join(sorted(ENCODERS))}")
    return build_from_conf(ENCODERS[name], conf, "encoder_conf").eval()


def as_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """A torch dtype by its name."""
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ValueError(f"dtype: float32, bfloat16 or float16, not {dtype!r}")
    return found


def load_aligner(name: str, conf: dict, device: str) -> AbsAligner:
    """An aligner by its checkpoint, or by its name with its options."""
    if name in ALIGNERS:
        return build_from_conf(aligner_factory(name), conf, "aligner_conf")
    return load_trained_aligner(name, device)
