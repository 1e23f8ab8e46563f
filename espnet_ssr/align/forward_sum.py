"""Losses that teach monotonic alignment without times ("One TTS Alignment To Rule Them All",
arXiv 2108.10447, section 3)."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import ctc_loss, pad

from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.monotonic import search_durations

# Log-score of the blank, which CTC has and alignment has not.
BLANK_SCORE = -1.0


def beta_binomial_prior(
    num_frames: torch.Tensor, num_labels: torch.Tensor, scale: float
) -> torch.Tensor:
    """Log-prior ``(B, T, L)`` that favours the diagonal.

    At frame ``t`` of ``T`` (from 1) label ``l`` of ``L`` (from 0) has the probability of ``l``
    successes in ``L - 1`` trials, beta-binomial with ``scale * t`` and ``scale * (T + 1 - t)``.

    Args:
        num_frames, num_labels: lengths ``(B,)``; values beyond them are finite and mean nothing.
        scale: higher is sharper.
    """
    device = num_frames.device
    trials = (num_labels - 1)[:, None, None].float()
    successes = torch.arange(int(num_labels.max()), device=device).float()
    failures = (trials - successes).clamp(min=0)
    frame = torch.arange(1, int(num_frames.max()) + 1, device=device)[:, None]
    alpha = scale * frame
    beta = scale * (num_frames[:, None, None] + 1 - frame).clamp(min=1)
    log_choices = (trials + 1).lgamma() - (successes + 1).lgamma() - (failures + 1).lgamma()
    return log_choices + _log_beta(successes + alpha, failures + beta) - _log_beta(alpha, beta)


def _log_beta(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a.lgamma() + b.lgamma() - (a + b).lgamma()


def forward_sum_loss(
    scores: torch.Tensor, num_frames: torch.Tensor, num_labels: torch.Tensor
) -> torch.Tensor:
    """Negative log-likelihood, a label, of all monotonic alignments together.

    It is CTC in which every position of the transcript is a symbol of its own. Utterances with
    fewer frames than labels count as 0.

    Args:
        scores: log-scores ``(B, T, L)``, finite in padding too.
        num_frames, num_labels: lengths ``(B,)``.
    """
    log_probs = pad(scores, (1, 0), value=BLANK_SCORE).log_softmax(dim=-1)
    positions = torch.arange(1, scores.size(2) + 1, device=scores.device).expand(len(scores), -1)
    return ctc_loss(
        log_probs.transpose(0, 1), positions, num_frames, num_labels, zero_infinity=True
    )


def binarization_loss(
    scores: torch.Tensor, num_frames: torch.Tensor, num_labels: torch.Tensor
) -> torch.Tensor:
    """Negative log-probability, a frame, of the best monotonic alignment.

    Arguments as in ``forward_sum_loss``; utterances without an alignment are left out.
    """
    durations = search_durations(
        scores.detach().float().cpu().numpy(), num_frames.tolist(), num_labels.tolist()
    )
    cells = [
        (np.full(d.sum(), i), np.arange(d.sum()), np.repeat(np.arange(len(d)), d))
        for i, d in enumerate(durations)
        if not isinstance(d, AlignError)
    ]
    if not cells:
        return scores.sum() * 0
    index = tuple(np.concatenate(i) for i in zip(*cells, strict=True))
    return -scores.log_softmax(dim=-1)[index].mean()
