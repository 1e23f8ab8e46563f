"""Training a connector through the frozen LLM."""

from __future__ import annotations

import argparse
import logging

import torch
from espnet2.utils.nested_dict_action import NestedDictAction

from espnet_ssr.conf import build_from_conf
from espnet_ssr.llm.load import load_frozen_llm
from espnet_ssr.llm.prompt import Prompt
from espnet_ssr.llm.tokenizer import load_tokenizer
from espnet_ssr.model.lm import SSRLMModel
from espnet_ssr.task.speech import SpeechTask
from espnet_ssr.train.checkpoint import check_keys


class SSRLMTask(SpeechTask):
    """Trains a connector by what the LLM predicts after its vectors."""

    model_options = "Options of SSRLMModel: loss"

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        super().add_task_arguments(parser)
        group = parser.add_argument_group("LLM")
        group.add_argument(
            "--llm_conf",
            action=NestedDictAction,
            default={},
            help="dtype (float32, bfloat16, float16), gradient_checkpointing",
        )
        group.add_argument(
            "--prompt_conf",
            action=NestedDictAction,
            default={},
            help="Texts before and after the vectors, and at the transcript's end",
        )

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False):
        return () if inference else ("token_id",)

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False):
        return ("token_end", *super().optional_data_names(train, inference))

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> SSRLMModel:
        llm = build_from_conf(load_frozen_llm, args.llm_conf, "llm_conf", name=args.llm)
        tokenizer = load_tokenizer(args.llm)
        prompt = build_from_conf(Prompt, args.prompt_conf, "prompt_conf", tokenizer=tokenizer)
        model = build_from_conf(
            SSRLMModel,
            args.model_conf,
            "model_conf",
            llm=llm,
            prompt=prompt,
            **cls.build_speech(args, llm.width),
        )
        cls.check_trainable(model, args)
        trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
        logging.info(f"{trainable} trainable parameters, {frozen} frozen ones")
        return model

    @classmethod
    def build_optimizers(cls, args: argparse.Namespace, model: SSRLMModel):
        # The last method that is called before ESPnet loads these files.
        for option in args.init_param:
            check_init_param(model, option)
        return super().build_optimizers(args, model)


def check_init_param(model: torch.nn.Module, option: str) -> None:
    """Refuse a file of ``--init_param FILE:FROM:TO`` that does not fill all of ``TO``.

    ESPnet leaves what a file lacks at its initial value, without a word.

    Raises:
        RuntimeError: names what is missing, unexpected or of another shape.
    """
    path, source, target, *excluded = [*option.split(":"), "", ""][: max(3, option.count(":") + 1)]
    if excluded:  # the user says that something is missing
        return
    state = torch.load(path, map_location="cpu", weights_only=True)
    try:
        check_keys(_below(state, source), _below(model.state_dict(), target))
    except RuntimeError as error:
        raise RuntimeError(f"--init_param {option}: {error}") from None


def _below(state: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """The entries of a module, with names as in that module's own state."""
    prefix = f"{name}." if name else ""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
