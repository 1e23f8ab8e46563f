"""CTC compression (Gaido et al., arXiv 2102.01578): means of runs of frames with one CTC label.

Differences from the original: the labels are those of an aligner that was trained before and stays
frozen (the original trains CTC with the rest, inside the encoder); an MLP after the means instead
of further encoder layers; runs of blanks can be dropped.
"""

from __future__ import annotations

import torch

from espnet_ssr.connector.frozen_aligner import BLANK, FrozenAlignerMixin
from espnet_ssr.connector.mlp import MLPConnector
from espnet_ssr.connector.segments import cumulative_frames
from espnet_ssr.tensors import length_mask


class CTCCompressConnector(FrozenAlignerMixin, MLPConnector):
    """One vector for every run of frames whose most likely label is the same.

    Args:
        input_size: width ``D`` of a frame.
        output_size: width ``H`` of the LLM's embeddings.
        aligner: a checkpoint of a CTC aligner; see ``FrozenAlignerMixin``.
        keep_blanks: a vector for each run of blanks too, as in the paper. Without, blanks only
            separate runs; an utterance of nothing but blanks gives the mean of all its frames.
        hidden_size: width of the hidden layers.
        num_layers: hidden layers.
        dropout_rate: on the input of the MLP and after each hidden layer.

    Raises:
        ValueError: the aligner is of another kind or takes features of another width.
    """

    needs_segmentation = False
    token_aligned = False

    def __init__(
        self,
        input_size: int,
        output_size: int,
        aligner: str,
        keep_blanks: bool = True,
        hidden_size: int = 1280,
        num_layers: int = 3,
        dropout_rate: float = 0.3,
    ):
        super().__init__(input_size, output_size, hidden_size, num_layers, dropout_rate)
        self.keep_blanks = keep_blanks
        self.load_aligner(aligner, input_size)

    def compress(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``StateConnector.compress``; ``token_end`` and ``token_lengths`` are not used."""
        mask = length_mask(feats_lengths, feats.size(1))
        feats = feats.where(mask[..., None], 0)
        first, last = self._run_edges(self._labels(feats, feats_lengths), mask)
        utterance, start = first.nonzero(as_tuple=True)
        stop = last.nonzero(as_tuple=True)[1] + 1
        cumulative = cumulative_frames(feats)
        sums = cumulative[utterance, stop] - cumulative[utterance, start]
        means = (sums / (stop - start)[:, None]).to(feats.dtype)
        return self.states(means, first.sum(1))

    @torch.no_grad()
    def _labels(self, feats, lengths):
        """The most likely label ``(B, T)`` of each frame."""
        # Not in bfloat16, in which labels would depend on what else is in the batch.
        with torch.autocast(feats.device.type, enabled=False):
            scores = self.aligner.scores(feats.to(self.aligner.prior.dtype), lengths)
        return scores.argmax(-1)

    def _run_edges(self, labels, mask):
        """``(B, T)`` twice: True at the first and at the last frame of each run that is kept."""
        labels = labels.where(mask, -1)
        # A label that no frame has on both sides, so that runs begin and end there too.
        change = torch.nn.functional.pad(labels, (1, 1), value=-1).diff(dim=1) != 0
        kept = mask
        if not self.keep_blanks:
            spoken = mask & (labels != BLANK)
            kept = spoken | (mask & ~spoken.any(1, keepdim=True))
        return change[:, :-1] & kept, change[:, 1:] & kept
