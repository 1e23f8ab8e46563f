"""A hull at frame rate (LegoSLM, arXiv 2505.11352): sums of the LLM's embeddings, weighted by the
posteriors of a CTC over its tokens.

Differences from LegoSLM, which trains a speech encoder with a CTC of the LLM's whole vocabulary:

* The CTC is an aligner on features of a frozen encoder, trained before and frozen. Its labels are
  the tokens that are frequent in its training, and characters that spell the others
  (``align.labels.TokenLabels``); a vector can have no other token in its sum.
* The LLM is frozen, unless a fine-tuning trains it, too.
* The temperature of the posteriors is one trained number (as its inverse, ``sharpness``), not set
  by hand.
* The blank has no embedding: it is left out of the sum, and frames that are almost surely blank
  give no vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from espnet_ssr.align.labels import TokenLabels
from espnet_ssr.connector.abs import StateConnector, States
from espnet_ssr.connector.frozen_aligner import BLANK, FrozenAlignerMixin
from espnet_ssr.tensors import length_mask


class CTCHullConnector(FrozenAlignerMixin, StateConnector):
    """A vector for every frame that is not blank.

    Args:
        input_size: width ``D`` of a frame.
        output_size: width ``H`` of the LLM's embeddings.
        aligner: a checkpoint of a CTC aligner with ``labels: token`` of this LLM; see
            ``FrozenAlignerMixin``.
        max_blank: frames whose posterior of the blank is above this give no vector; where that
            leaves none of an utterance, the frame with the lowest one gives one.

    Raises:
        ValueError: the aligner cannot be used here.
    """

    needs_segmentation = False
    token_aligned = False

    output: LabelHull

    def __init__(self, input_size: int, output_size: int, aligner: str, max_blank: float = 0.9):
        super().__init__()
        labels = self.load_aligner(aligner, input_size)
        if not isinstance(labels, TokenLabels):
            raise ValueError(
                f"{aligner}: its labels are of the kind {labels.kind}; ctc_hull needs an aligner "
                "that was trained with 'labels: token' of this LLM (conf/tuning/align_token_ctc)"
            )
        self.max_blank = max_blank
        self.output = LabelHull(labels.token_ids(), output_size)

    def attach(self, embed: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """See ``AbsConnector.attach``."""
        self.output.attach(embed)

    def start_at(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """Nothing: untrained, it gives sums of embeddings already."""

    def compress(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``StateConnector.compress``; ``token_end`` and ``token_lengths`` are not used. States
        are log posteriors ``(S, V)`` of the aligner's labels, the blank included."""
        mask = length_mask(feats_lengths, feats.size(1))
        feats = feats.where(mask[..., None], 0)
        # Not in bfloat16, in which the frames that are kept would depend on the rest of the batch.
        with torch.autocast(feats.device.type, enabled=False):
            log_probs = self.aligner.log_probs(feats.to(self.aligner.prior.dtype), feats_lengths)
        kept = self._kept(log_probs[..., BLANK].detach().exp(), mask)
        return States(log_probs[kept], kept.sum(1))

    def _kept(self, blank: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Which frames ``(B, T)`` give a vector."""
        kept = mask & (blank <= self.max_blank)
        lowest = blank.masked_fill(~mask, torch.inf).argmin(1)
        none = mask.any(1) & ~kept.any(1)
        kept[none, lowest[none]] = True
        return kept


class LabelHull(torch.nn.Module):
    """Sums of the LLM's embeddings, weighted by posteriors of labels that stand for tokens.

    A label of several tokens (a character that the vocabulary writes as bytes) has the mean of
    their embeddings. Labels without any, the blank among them, are left out, and the rest of the
    posteriors is made to add up to 1: ``softmax(exp(log_sharpness) * log_posteriors)``.

    Args:
        token_ids: of each label the LLM's tokens, maybe none.
        out_features: width ``H`` of the LLM's embeddings.
    """

    def __init__(self, token_ids: Sequence[Sequence[int]], out_features: int):
        super().__init__()
        self.out_features = out_features
        self.log_sharpness = torch.nn.Parameter(torch.zeros(()))
        used = [label for label, ids in enumerate(token_ids) if ids]
        if not used:
            raise ValueError("no label of the aligner has a token of the LLM")
        sizes = [len(token_ids[label]) for label in used]
        flat = [i for label in used for i in token_ids[label]]
        owner = torch.arange(len(used)).repeat_interleave(torch.tensor(sizes))
        # Of the aligner's files, and so in no checkpoint.
        for name, value in (("_used", used), ("_sizes", sizes), ("_tokens", flat)):
            self.register_buffer(name, torch.tensor(value), persistent=False)
        self.register_buffer("_owner", owner, persistent=False)
        self._embed: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = ()

    def attach(self, embed: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Say where embeddings come from: token ids ``(...)`` -> ``(..., H)``."""
        self._embed = (embed,)  # in a tuple, so that an LLM does not become a part of this

    def embeddings(self) -> torch.Tensor:
        """``(C, H)`` of the labels that have any."""
        if not self._embed:
            raise RuntimeError("no embeddings: call attach first")
        of_tokens = self._embed[0](self._tokens).detach().to(self.log_sharpness.dtype)
        sums = of_tokens.new_zeros(len(self._used), self.out_features)
        return sums.index_add(0, self._owner, of_tokens) / self._sizes[:, None]

    def forward(self, log_posteriors: torch.Tensor) -> torch.Tensor:
        """Vectors ``(S, H)`` of log posteriors ``(S, V)`` of all labels."""
        weights = (self.log_sharpness.exp() * log_posteriors[:, self._used]).softmax(-1)
        return weights @ self.embeddings()
