"""Pooling (Qwen2-Audio, arXiv 2407.10759): means of a few frames, an MLP.

Differences from the original: an MLP where Qwen2-Audio has a linear layer, as it trains its encoder
with it; layer norm on the means; the last, incomplete group is averaged over what it has.
"""

from __future__ import annotations

from espnet_ssr.connector.mlp import MLPConnector
from espnet_ssr.connector.segments import pack_groups


class PoolConnector(MLPConnector):
    """One vector for every ``frames`` frames: ``ceil(T / frames)`` an utterance.

    Args:
        input_size: width ``D`` of a frame.
        output_size: width ``H`` of the LLM's embeddings.
        frames: frames of a mean; 2 of 50 a second give 25 vectors a second, as in the paper.
        hidden_size: width of the hidden layers.
        num_layers: hidden layers; 0 leaves a linear layer, as in the paper.
        dropout_rate: on the input of the MLP and after each hidden layer.
    """

    needs_segmentation = False
    token_aligned = False

    def __init__(
        self,
        input_size: int,
        output_size: int,
        frames: int = 2,
        hidden_size: int = 1280,
        num_layers: int = 3,
        dropout_rate: float = 0.3,
    ):
        super().__init__(input_size, output_size, hidden_size, num_layers, dropout_rate)
        self.frames = frames

    def compress(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``StateConnector.compress``; ``token_end`` and ``token_lengths`` are not used."""
        groups, mask, lengths = pack_groups(feats, feats_lengths, self.frames)
        return self.states(groups.sum(1) / mask.sum(1)[:, None], lengths)
