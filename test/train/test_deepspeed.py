"""What can be checked without DeepSpeed: its configurations, and what ESPnet's trainer gets."""

import json
from pathlib import Path

import pytest
import torch

from espnet_ssr.train.deepspeed import SSRDeepSpeedTrainer, _sum_loss

CONF = Path(__file__).resolve().parents[2] / "egs2" / "TEMPLATE" / "ssr1" / "conf"


def test_configuration_of_the_recipe():
    config = json.loads((CONF / "deepspeed_zero2.json").read_text())
    assert config["zero_optimization"]["stage"] == 2
    # ESPnet leaves these to DeepSpeed.
    for name in ("optimizer", "scheduler", "gradient_clipping", "train_micro_batch_size_per_gpu"):
        assert name in config
    assert config["optimizer"]["params"]["lr"] == config["scheduler"]["params"]["warmup_max_lr"]
    assert SSRDeepSpeedTrainer.setup_data_dtype(config) == torch.float32


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"zero_optimization": {"stage": 3}}, "ZeRO-3 would hang"),
        ({"bf16": {"enabled": True}}, "bf16: leave it out"),
        ({"fp16": {"enabled": True}}, "fp16: leave it out"),
        ({"torch_autocast": {"enabled": True}}, "torch_autocast: leave it out"),
    ],
)
def test_what_would_fail_later_is_refused(config, message):
    with pytest.raises(ValueError, match=f"deepspeed_config: {message}"):
        SSRDeepSpeedTrainer.setup_data_dtype(config)


def test_gradients_of_processes_add_up_to_that_of_the_mean():
    """ESPnet divides each loss by the weights of all, DeepSpeed averages over processes."""
    weight = torch.tensor([2.0, 3.0, 4.0], requires_grad=True)
    (weight**2).mean().backward()
    expected, weight.grad = weight.grad, None
    for row in [weight[:1] ** 2, weight[1:] ** 2]:
        loss, _, count = _sum_loss(None, (), (row.mean()[None], {}, torch.tensor([len(row)])))
        (loss / 3 * 2 / 2).sum().backward()  # over all weights, times and by the processes
        assert count == len(row)
    torch.testing.assert_close(weight.grad, expected)
