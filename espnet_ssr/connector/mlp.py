"""What connectors share whose trained part is a multi-layer perceptron."""

from __future__ import annotations

import torch

from espnet_ssr.connector.abs import StateConnector, States


class MLPConnector(StateConnector):
    """Layer norm, ``num_layers`` times linear and GELU, a linear layer to the LLM's width.

    Args:
        width: of what is known of a vector to be.
        output_size: width ``H`` of the LLM's embeddings.
        hidden_size: width of the hidden layers.
        num_layers: hidden layers; 0 leaves a linear layer.
        dropout_rate: on the input and after each hidden layer.
    """

    def __init__(
        self, width: int, output_size: int, hidden_size: int, num_layers: int, dropout_rate: float
    ):
        super().__init__()
        layers: list[torch.nn.Module] = [torch.nn.LayerNorm(width), torch.nn.Dropout(dropout_rate)]
        for _ in range(num_layers):
            layers += [torch.nn.Linear(width, hidden_size), torch.nn.GELU()]
            layers += [torch.nn.Dropout(dropout_rate)]
            width = hidden_size
        self.mlp = torch.nn.Sequential(*layers)
        self.output = torch.nn.Linear(width, output_size)

    def states(self, packed: torch.Tensor, lengths: torch.Tensor) -> States:
        """A state for each row ``(S, width)`` of all utterances, ``lengths`` ``(B,)`` of each."""
        return States(self.mlp(packed), lengths)
