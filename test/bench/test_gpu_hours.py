"""GPU-hours: operations counted by hand and by PyTorch, hours in proportion."""

import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from gpu_hours import NETWORKS, Network, gpu_hours, rows, transformer  # noqa: E402


def test_operations_are_those_that_pytorch_counts():
    layers, width, feedforward, frames = 2, 16, 24, 50
    layer = torch.nn.TransformerEncoderLayer(width, 2, feedforward, batch_first=True)
    network = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    with FlopCounterMode(display=False) as counter:
        network.train()(torch.zeros(1, frames, width))
    expected = transformer(layers, width, feedforward, seen=frames).operations(1)
    assert counter.get_total_flops() == expected


def test_hours_of_a_gpu():
    network = Network(weights=1e6, layers=0, width=0, seen=0)
    # 50 frames x 2e6 operations x 3600 s x 10 h = 3.6e12: one second of a TFLOP/s.
    assert gpu_hours(network, 10, 1, 1.0) == pytest.approx(3.6 / 3600)
    assert gpu_hours(network, 20, 3, 2.0) == pytest.approx(3 * 3.6 / 3600)


def test_known_networks_have_their_published_sizes():
    sizes = {"wav2vec 2.0": 302e6 + 55e6, "Whisper large": 637e6, "Whisper tiny": 8e6}
    for name, size in sizes.items():
        (network,) = (n for key, n in NETWORKS.items() if name in key and "encode" in key)
        assert network.weights == pytest.approx(size, rel=0.08)


def test_more_gpus_take_less_time():
    for _, *hours in rows(50_000, 94):
        assert float(hours[0]) > float(hours[1]) > float(hours[2]) > 0
