"""Training a connector through the frozen LLM."""

from __future__ import annotations

import argparse

from espnet2.utils.nested_dict_action import NestedDictAction

from espnet_ssr.conf import build_from_conf
from espnet_ssr.llm.load import load_frozen_llm
from espnet_ssr.llm.prompt import Prompt
from espnet_ssr.llm.tokenizer import load_tokenizer
from espnet_ssr.model.lm import SSRLMModel
from espnet_ssr.task.speech import SpeechTask


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
        return model
