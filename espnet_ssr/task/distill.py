"""Stage 1: distillation of token embeddings into a connector."""

from __future__ import annotations

import argparse

from espnet2.train.class_choices import ClassChoices
from espnet2.utils.nested_dict_action import NestedDictAction

from espnet_ssr.conf import build_from_conf
from espnet_ssr.connector import CONNECTORS, AbsConnector
from espnet_ssr.data.preprocess import PrepareExample
from espnet_ssr.encoder import ENCODERS, AbsEncoder
from espnet_ssr.llm.embedding import EmbeddingSpace, load_embedding_matrix
from espnet_ssr.model.distill import SSRDistillModel
from espnet_ssr.task.abs import SSRTask

encoder_choices = ClassChoices("encoder", ENCODERS, type_check=AbsEncoder, default="whisper")
connector_choices = ClassChoices("connector", CONNECTORS, type_check=AbsConnector, default="ssr")


class SSRDistillTask(SSRTask):
    """Trains a connector against the embeddings of the LLM's tokens; the LLM is not loaded."""

    class_choices_list = [encoder_choices, connector_choices]

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        group = parser.add_argument_group("SSR distillation")
        group.add_argument(
            "--llm",
            default="SmolLM2-135M-Instruct-q4_1",
            help="Language model: a folder, a folder's name below $SSR_MODELS, or a hub id",
        )
        group.add_argument(
            "--input_size",
            type=int,
            help="Width of extracted features; unset: speech is encoded on the fly",
        )
        group.add_argument(
            "--frame_rate", type=float, default=50.0, help="Of extracted features, in Hz"
        )
        group.add_argument(
            "--model_conf",
            action=NestedDictAction,
            default={},
            help="Options of SSRDistillModel: cosine_weight, mse_weight",
        )
        for choices in cls.class_choices_list:
            choices.add_arguments(group)

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False):
        return ("token_end",) if inference else ("token_id", "token_end")

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False):
        return ("feats", "speech", "pause")

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool):
        sample_rate = encoder_choices.get_class(args.encoder).sample_rate
        return PrepareExample(args.frame_rate, sample_rate)

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> SSRDistillModel:
        embedding = EmbeddingSpace(load_embedding_matrix(args.llm))
        encoder, input_size, frame_rate = None, args.input_size, args.frame_rate
        if input_size is None:
            encoder_class = encoder_choices.get_class(args.encoder)
            encoder = build_from_conf(encoder_class, args.encoder_conf, "encoder_conf")
            input_size, frame_rate = encoder.output_size(), encoder.frame_rate
        connector = build_from_conf(
            connector_choices.get_class(args.connector),
            args.connector_conf,
            "connector_conf",
            input_size=input_size,
            output_size=embedding.width,
        )
        return build_from_conf(
            SSRDistillModel,
            args.model_conf,
            "model_conf",
            connector=connector,
            embedding=embedding,
            encoder=encoder,
            frame_rate=frame_rate,
        )
