"""Stage 1: distillation of token embeddings into a connector."""

from __future__ import annotations

import argparse

from espnet_ssr.conf import build_from_conf
from espnet_ssr.llm.embedding import EmbeddingSpace, load_embedding_matrix
from espnet_ssr.model.distill import SSRDistillModel
from espnet_ssr.task.speech import SpeechTask


class SSRDistillTask(SpeechTask):
    """Trains a connector against the embeddings of the LLM's tokens; the LLM is not loaded."""

    model_options = "Options of SSRDistillModel: losses, temperature, negatives"

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False):
        return ("token_end",) if inference else ("token_id", "token_end")

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> SSRDistillModel:
        embedding = EmbeddingSpace(load_embedding_matrix(args.llm))
        model = build_from_conf(
            SSRDistillModel,
            args.model_conf,
            "model_conf",
            embedding=embedding,
            **cls.build_speech(args, embedding.width),
        )
        cls.check_trainable(model, args)
        return model
