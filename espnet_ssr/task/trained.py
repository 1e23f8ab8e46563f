"""What was trained, whichever task trained it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.model.speech import SpeechModel
from espnet_ssr.task.distill import SSRDistillTask
from espnet_ssr.task.lm import SSRLMTask
from espnet_ssr.train.checkpoint import load_trained_weights


def load_trained(args: Namespace, model_file: Path) -> tuple[SpeechModel, LanguageModel]:
    """The model of a training, and the LLM that reads its vectors: for a distilled connector the
    one whose embeddings it learned. Both on the CPU.

    Args:
        args: options of the training.
        model_file: its checkpoint.
    """
    # The option that only one of the tasks has.
    if not hasattr(args, "llm_conf"):
        model = SSRDistillTask.build_model(SSRDistillTask.with_defaults(vars(args)))
        load_trained_weights(model, model_file)
        return model, load_language_model(args.llm)
    # Losses are for training; theirs may be a teacher, a whole LLM more.
    model = SSRLMTask.build_model(SSRLMTask.with_defaults({**vars(args), "model_conf": {}}))
    load_trained_weights(model, model_file)
    return model, model.llm
