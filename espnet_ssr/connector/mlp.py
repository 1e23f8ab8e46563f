"""The multi-layer perceptron that connectors end with."""

from __future__ import annotations

import torch


def feedforward(
    width: int, hidden_size: int, num_layers: int, dropout_rate: float
) -> tuple[torch.nn.Sequential, int]:
    """Layer norm, then ``num_layers`` times linear and GELU.

    Args:
        width: of the input.
        hidden_size: width of the layers.
        num_layers: 0 leaves the layer norm alone.
        dropout_rate: on the input and after each layer.

    Returns:
        ``(..., width)`` -> ``(..., width of the output)``, and the width of the output.
    """
    layers: list[torch.nn.Module] = [torch.nn.LayerNorm(width), torch.nn.Dropout(dropout_rate)]
    for _ in range(num_layers):
        layers += [torch.nn.Linear(width, hidden_size), torch.nn.GELU()]
        layers += [torch.nn.Dropout(dropout_rate)]
        width = hidden_size
    return torch.nn.Sequential(*layers), width
