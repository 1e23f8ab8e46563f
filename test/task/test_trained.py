"""Loading what was trained, by whichever task and with an older version of the options."""

from argparse import Namespace

import pytest
import torch

from espnet_ssr.speech_lm.folder import find_model
from espnet_ssr.speech_lm.load import read_training
from espnet_ssr.task.distill import SSRDistillTask
from espnet_ssr.task.lm import SSRLMTask
from espnet_ssr.task.trained import load_trained

SMALL = ["--connector", "mean", "--connector_conf", "hidden_size=8", "--input_size", "8"]


@pytest.mark.parametrize(
    ("task", "newer"),
    [
        (SSRDistillTask, ("trainable_parameters", "jitter")),
        (SSRLMTask, ("lora_conf", "train_connector", "replay_conf")),
    ],
)
def test_an_older_training_lacks_newer_options(task, newer, make_experiment):
    path = make_experiment(*SMALL, task=task)
    args = read_training(find_model(str(path)))
    expected, _ = load_trained(args, path)
    older = Namespace(**{name: value for name, value in vars(args).items() if name not in newer})
    assert len(vars(older)) == len(vars(args)) - len(newer)
    model, _ = load_trained(older, path)
    for name, value in expected.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
