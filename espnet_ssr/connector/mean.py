"""Mean-pool connector: an MLP on the means of equal parts of each segment.

A strong and nearly free baseline; the alignment does the work.
"""

from __future__ import annotations

import torch

from espnet_ssr.connector.mlp import MLPConnector
from espnet_ssr.connector.segments import cumulative_frames, segment_means, segment_starts
from espnet_ssr.tensors import length_mask


class MeanConnector(MLPConnector):
    """Means of ``parts`` equal parts, log length, optionally the neighbours' -> MLP.

    Args:
        input_size: width ``D`` of a frame.
        output_size: width ``H`` of the LLM's embeddings.
        parts: equal parts that a segment is cut into; a part holds at least one frame, so
            parts of short segments overlap.
        neighbours: segments to the left and to the right whose means are seen too.
        hidden_size: width of the hidden layers.
        num_layers: hidden layers.
        dropout_rate: on the input and after each hidden layer.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        parts: int = 3,
        neighbours: int = 1,
        hidden_size: int = 960,
        num_layers: int = 2,
        dropout_rate: float = 0.3,
    ):
        width = (input_size * parts + 1) * (2 * neighbours + 1)
        super().__init__(width, output_size, hidden_size, num_layers, dropout_rate)
        self.parts = parts
        self.neighbours = neighbours

    def compress(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``StateConnector.compress``."""
        mask = length_mask(token_lengths, token_end.size(1))
        # After the last token there is a valid index, so that it can be gathered.
        token_end = token_end.where(mask, 0)
        means = self._part_means(feats, segment_starts(token_end), token_end)
        segments = torch.cat(list(means), dim=-1).where(mask[..., None], 0)
        around = torch.cat([_shift(segments, k) for k in self._offsets()], dim=-1)
        return self.states(around[mask], token_lengths)

    def _offsets(self) -> range:
        return range(-self.neighbours, self.neighbours + 1)

    def _part_means(self, feats, start, end):
        """Yield the mean of each part ``(B, M, D)`` and the segment's log length ``(B, M, 1)``."""
        frames = end - start + 1
        cumulative = cumulative_frames(feats)
        for part in range(self.parts):
            first = start + (frames * part).div(self.parts, rounding_mode="floor")
            last = start + (frames * (part + 1)).div(self.parts, rounding_mode="floor") - 1
            yield segment_means(cumulative, first, torch.maximum(first, last))
        yield frames.to(feats.dtype).log()[..., None]


def _shift(x: torch.Tensor, k: int) -> torch.Tensor:
    """``x[:, i + k]`` at ``i``, zero where there is none; ``x``: ``(B, M, D)``."""
    size = x.size(1)
    padded = torch.nn.functional.pad(x, (0, 0, abs(k), abs(k)))
    return padded[:, abs(k) + k : abs(k) + k + size]
