"""The network of the CTC aligners: a small Transformer on frame features (arXiv 2410.00168, 3.1).

CTC networks are peaky: a label fires in one frame and blanks fill the rest, so that boundaries are
anyone's guess. Label priors (arXiv 2406.02560) make the blank, which is by far the most frequent
label, expensive: the network learns to let labels last as long as they sound.
"""

from __future__ import annotations

import torch
from torch.nn.functional import ctc_loss, scaled_dot_product_attention

from espnet_ssr.tensors import length_mask, sinusoids

PRIOR_MOMENTUM = 0.99  # of the running mean over batches


class CTCNetwork(torch.nn.Module):
    """Log-probabilities of labels and blank at frames.

    Args:
        input_size: width ``D`` of a frame.
        num_labels: labels, the blank (number 0) included.
        hidden_size: width of the Transformer.
        num_layers: Transformer layers (the paper: 4); 0 is a linear layer.
        num_heads: attention heads.
        feedforward_size: width inside the feed-forward layers.
        dropout_rate: on the input and on each residual branch.
        prior_weight: 0: plain CTC; else the exponent of the label prior that log-probabilities
            are divided by, in training and alignment (arXiv 2406.02560, equation 5).
    """

    def __init__(
        self,
        input_size: int,
        num_labels: int,
        hidden_size: int = 128,
        num_layers: int = 4,
        num_heads: int = 4,
        feedforward_size: int = 256,
        dropout_rate: float = 0.1,
        prior_weight: float = 0.0,
    ):
        super().__init__()
        self.prior_weight = prior_weight
        self.input = torch.nn.Sequential(
            torch.nn.LayerNorm(input_size),
            torch.nn.Linear(input_size, hidden_size),
            torch.nn.Dropout(dropout_rate),
        )
        self.layers = torch.nn.ModuleList(
            EncoderLayer(hidden_size, num_heads, feedforward_size, dropout_rate)
            for _ in range(num_layers)
        )
        self.output = torch.nn.Sequential(
            torch.nn.LayerNorm(hidden_size), torch.nn.Linear(hidden_size, num_labels)
        )
        self.register_buffer("prior", torch.full((num_labels,), 1 / num_labels))

    def forward(
        self,
        feats: torch.Tensor,
        feats_lengths: torch.Tensor,
        labels: torch.Tensor,
        label_lengths: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Training loss: ``{"loss": CTC loss a label, "blank": mean probability of the blank}``.

        Args:
            feats: frames ``(B, T, D)``; feats_lengths: ``(B,)``.
            labels: label ids ``(B, L)``; label_lengths: ``(B,)``.
        """
        log_probs = self.log_probs(feats, feats_lengths)
        mask = length_mask(feats_lengths, feats.size(1))
        frequency = log_probs.detach()[mask].exp().mean(0)
        scores = self._over_prior(log_probs)
        loss = unnormalized_ctc_loss(scores, feats_lengths, labels, label_lengths)
        if self.training:
            self.prior.lerp_(frequency, 1 - PRIOR_MOMENTUM)
        return {"loss": loss / label_lengths.sum(), "blank": frequency[0]}

    def scores(self, feats: torch.Tensor, feats_lengths: torch.Tensor) -> torch.Tensor:
        """What paths are searched in: ``(B, T, V)`` log-probabilities, over the prior if any."""
        return self._over_prior(self.log_probs(feats, feats_lengths))

    def log_probs(self, feats: torch.Tensor, feats_lengths: torch.Tensor) -> torch.Tensor:
        """Log-probabilities ``(B, T, V)``."""
        x = self.input(feats)
        x = x + sinusoids(x.size(1), x.size(2), x.device, x.dtype)
        mask = length_mask(feats_lengths, x.size(1))[:, None, None]
        for layer in self.layers:
            x = layer(x, mask)
        return self.output(x).log_softmax(dim=-1)

    def _over_prior(self, log_probs: torch.Tensor) -> torch.Tensor:
        if not self.prior_weight:
            return log_probs
        return log_probs - self.prior_weight * self.prior.clamp(min=1e-6).log()


class EncoderLayer(torch.nn.Module):
    """Pre-norm Transformer layer without dropout on attention: with it, as in PyTorch's own layer,
    there is no fused attention, and training on a CPU takes several times as long."""

    def __init__(self, size: int, num_heads: int, feedforward_size: int, dropout_rate: float):
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = torch.nn.LayerNorm(size)
        self.query_key_value = torch.nn.Linear(size, 3 * size)
        self.attention_output = torch.nn.Linear(size, size)
        self.feedforward = torch.nn.Sequential(
            torch.nn.LayerNorm(size),
            torch.nn.Linear(size, feedforward_size),
            torch.nn.GELU(),
            torch.nn.Linear(feedforward_size, size),
        )
        self.dropout = torch.nn.Dropout(dropout_rate)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """``(B, T, d)`` -> ``(B, T, d)``; ``mask`` ``(B, 1, 1, T)``: where there are frames."""
        heads = self.query_key_value(self.attention_norm(x)).unflatten(-1, (3, self.num_heads, -1))
        attended = scaled_dot_product_attention(*heads.permute(2, 0, 3, 1, 4), attn_mask=mask)
        x = x + self.dropout(self.attention_output(attended.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feedforward(x))


def unnormalized_ctc_loss(
    scores: torch.Tensor,
    feats_lengths: torch.Tensor,
    labels: torch.Tensor,
    label_lengths: torch.Tensor,
) -> torch.Tensor:
    """CTC loss, summed over the batch, with the right gradient for scores that are no distribution.

    PyTorch's gradient is ``exp(score) - occupancy``: its first term is right only in front of a
    log-softmax of these very scores. It is taken off again; the derivative is ``-occupancy``.
    """
    loss = ctc_loss(
        scores.transpose(0, 1),
        labels,
        feats_lengths,
        label_lengths,
        reduction="sum",
        zero_infinity=True,
    )
    mask = length_mask(feats_lengths, scores.size(1))
    surplus = (scores.detach().exp() * scores)[mask].sum()
    return loss - (surplus - surplus.detach())
