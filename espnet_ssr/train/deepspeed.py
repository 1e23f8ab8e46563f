"""Training by DeepSpeed, whose ZeRO spreads weights, gradients and optimizer states over GPUs."""

from __future__ import annotations

from pathlib import Path

import torch
from espnet2.train.deepspeed_trainer import DeepSpeedTrainer

from espnet_ssr.train.trainer import draw_apart, prepare


class SSRDeepSpeedTrainer(DeepSpeedTrainer):
    """``espnet2.train.deepspeed_trainer.DeepSpeedTrainer`` for this toolkit's models.

    Optimizer, schedule, clipping and accumulation are those of ``deepspeed_config``. What it does
    not do that ``SSRTrainer`` does is in ``doc/large_models.md``.
    """

    @classmethod
    def run(cls, *, model, trainer_options, distributed_option, **kwargs) -> None:
        distributed_option.init_deepspeed()
        prepare(model, trainer_options)
        model.register_forward_hook(_sum_loss)
        super().run(model=model, trainer_options=trainer_options, **kwargs)

    @classmethod
    def train_one_epoch(cls, *, iterator, reporter, options, **kwargs) -> None:
        draw_apart(options.seed + reporter.epoch)
        super().train_one_epoch(iterator=iterator, reporter=reporter, options=options, **kwargs)
        what = f"epoch {reporter.epoch}: skipped in training"
        iterator.skipped.report(Path(options.output_dir), what)

    @classmethod
    def setup_data_dtype(cls, deepspeed_config: dict) -> torch.dtype:
        """float32: in bfloat16 the end of a segment would move by up to 31 ms after 8 s."""
        refuse_what_fails(deepspeed_config)
        return torch.float32


def refuse_what_fails(config: dict) -> None:
    """Check the content of ``deepspeed_config``.

    Raises:
        ValueError: the training would hang or end; says what to do instead.
    """
    if config.get("zero_optimization", {}).get("stage") == 3:
        # It gathers weights whenever a module is called, in all processes together; here the
        # LLM's embedding is called once an utterance, its output layer once a chunk of tokens.
        raise ValueError("deepspeed_config: ZeRO-3 would hang with this model: take stage 2")
    for section in ("bf16", "fp16", "torch_autocast"):
        if section in config:
            raise ValueError(
                f"deepspeed_config: {section}: leave it out; model_conf: autocast: bfloat16 says "
                "what is computed in, llm_conf: dtype what the LLM's weights are in"
            )


def _sum_loss(_model: torch.nn.Module, _inputs: tuple, output: tuple) -> tuple:
    """ESPnet divides the loss by the weights of all processes: it is to be a sum, not a mean."""
    loss, stats, weight = output
    return loss * weight, stats, weight
