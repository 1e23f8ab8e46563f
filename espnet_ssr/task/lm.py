"""Training through the LLM: of a connector, of the LLM, or of both."""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str2bool, str_or_none

from espnet_ssr.conf import build_from_conf
from espnet_ssr.data.preprocess import PrepareExample
from espnet_ssr.data.replay import TextReplay
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.load import load_language_model, load_llm
from espnet_ssr.llm.lora import LoraLanguageModel
from espnet_ssr.llm.prompt import PROMPTS, make_prompt
from espnet_ssr.llm.tokenizer import load_tokenizer
from espnet_ssr.model.lm import SSRLMModel
from espnet_ssr.task.speech import SpeechTask, encoder_choices

FINETUNE = ("none", "vanilla", "lora")


class SSRLMTask(SpeechTask):
    """Trains by what the LLM predicts after a connector's vectors."""

    model_options = "Options of SSRLMModel: losses, replay_losses, spoken_replay, autocast"

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
            "--finetune",
            choices=FINETUNE,
            default="none",
            help="What of the LLM is trained: nothing, all weights, or adapters",
        )
        group.add_argument(
            "--lora_conf",
            action=NestedDictAction,
            default={},
            help="With --finetune lora: rank, alpha, dropout, targets, modules_to_save",
        )
        group.add_argument(
            "--train_connector", type=str2bool, default=True, help="false: it stays as it was"
        )
        group.add_argument(
            "--distilled",
            type=str_or_none,
            help="Checkpoint of a distilled connector to start from, with its config.yaml beside; "
            "it sets --connector and --connector_conf",
        )
        group.add_argument(
            "--tasks",
            action=NestedDictAction,
            default={},
            help="Task -> weight: names of prompts (default: transcribe alone)",
        )
        group.add_argument(
            "--prompts",
            action=NestedDictAction,
            default={},
            help="Name -> template, beside those of espnet_ssr/llm/prompts.yaml",
        )
        group.add_argument(
            "--replay_conf",
            action=NestedDictAction,
            default={},
            help="Text to train on beside speech: file, ratio (tokens of text for each token of "
            "speech), length; unset: none",
        )

    @classmethod
    def main(cls, args: argparse.Namespace | None = None, cmd: Sequence[str] | None = None) -> None:
        complete_options(args := args or cls.get_parser().parse_args(cmd))
        if args.head == "hull" and not args.init_param:
            raise ValueError(
                "head: hull: its keys are learned in distillation (stage 8), not through the LLM: "
                "start from a distilled connector (--distilled), or take a linear head"
            )
        super().main(args)

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool):
        sample_rate = encoder_choices.get_class(args.encoder).sample_rate
        replay = None
        if train and args.replay_conf:
            replay = build_from_conf(
                TextReplay, args.replay_conf, "replay_conf", tokenizer=load_tokenizer(args.llm)
            )
        return PrepareExample(args.frame_rate, sample_rate, args.jitter if train else 0.0, replay)

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False):
        return () if inference else ("token_id",)

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False):
        return ("token_end", *super().optional_data_names(train, inference))

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> SSRLMModel:
        llm = build_llm(args)
        tokenizer = load_tokenizer(args.llm)
        model = build_from_conf(
            SSRLMModel,
            args.model_conf,
            "model_conf",
            llm=llm,
            prompts={name: make_prompt(tokenizer, text) for name, text in args.prompts.items()},
            tasks=args.tasks,
            teacher=build_teacher(args),
            **cls.build_speech(args, llm.width),
        )
        if not args.train_connector:
            model.freeze_connector()
        refuse_mistakes(model, args)
        cls.check_trainable(model, args)
        return model


def complete_options(args: argparse.Namespace) -> None:
    """Fill in what follows from other options, so that ``config.yaml`` says all.

    Raises:
        ValueError: ``distilled`` goes with other options of a connector.
    """
    args.tasks = args.tasks or {"transcribe": 1.0}
    known = {**PROMPTS, **args.prompts}
    args.prompts = {task: known[task] for task in args.tasks if task in known} | args.prompts
    if args.distilled is not None:
        if args.connector_conf or args.head_conf:
            raise ValueError(
                "--distilled says what the connector is: leave out connector_conf and head_conf"
            )
        config = Path(args.distilled).parent / "config.yaml"
        distilled = yaml.safe_load(config.read_text(encoding="utf-8"))
        args.connector, args.connector_conf = distilled["connector"], distilled["connector_conf"]
        # Connectors that were distilled before there were heads have a linear one.
        args.head = distilled.get("head", "linear")
        args.head_conf = distilled.get("head_conf", {})
        option = f"{args.distilled}:connector:connector"
        if option not in args.init_param:
            args.init_param = [option, *args.init_param]


def build_llm(args: argparse.Namespace) -> LanguageModel:
    """The LLM with what is to be trained of it.

    Raises:
        ValueError: the options contradict each other.
    """
    if args.lora_conf and args.finetune != "lora":
        raise ValueError(f"lora_conf is for finetune: lora, not {args.finetune}")
    conf = dict(args.llm_conf)
    if args.finetune != "lora":
        llm = build_from_conf(load_language_model, conf, "llm_conf", name=args.llm)
        if args.finetune == "vanilla":
            if llm.dtype.itemsize < 4:
                raise ValueError("finetune: vanilla: small updates are lost in llm_conf: dtype")
            llm.requires_grad_(True)
        return llm
    checkpointing = conf.pop("gradient_checkpointing", False)
    return build_from_conf(
        LoraLanguageModel,
        args.lora_conf,
        "lora_conf",
        model=build_from_conf(load_llm, conf, "llm_conf", name=args.llm),
        gradient_checkpointing=checkpointing,
    )


def build_teacher(args: argparse.Namespace) -> LanguageModel | None:
    """The LLM once more, where all weights of the first are trained and it is to be like before."""
    losses = [args.model_conf.get(name) or {} for name in ("losses", "replay_losses")]
    if args.finetune != "vanilla" or not any("kl" in weights for weights in losses):
        return None
    return build_from_conf(load_language_model, dict(args.llm_conf), "llm_conf", name=args.llm)


def refuse_mistakes(model: SSRLMModel, args: argparse.Namespace) -> None:
    """Log what is trained, part by part.

    Raises:
        ValueError: nothing is trained, or not what the options say.
    """
    trained, all_ = Counter(), Counter()
    for name, parameter in model.named_parameters():
        part = name.split(".")[0]
        all_[part] += parameter.numel()
        trained[part] += parameter.numel() * parameter.requires_grad
    for part, size in all_.items():
        logging.info(f"{part}: {trained[part]} of {size} parameters are trained")
    expected = {"connector": args.train_connector, "llm": args.finetune != "none"}
    for part in all_:
        if bool(trained[part]) != expected.get(part, False):
            state = "is trained" if trained[part] else "has nothing to be trained"
            raise ValueError(
                f"the {part} {state}, with finetune: {args.finetune} and "
                f"train_connector: {args.train_connector}"
            )
    if args.finetune == "lora" and trained["llm"] > 0.5 * all_["llm"]:
        raise ValueError(
            f"lora_conf: {trained['llm']} of {all_['llm']} parameters of the LLM would be trained; "
            "smaller rank or less in modules_to_save, or finetune: vanilla"
        )
    if not sum(trained.values()):
        raise ValueError("nothing would be trained: see finetune and train_connector")
