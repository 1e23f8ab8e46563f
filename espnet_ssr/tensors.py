"""Small functions on tensors that aligners and connectors share."""

from __future__ import annotations

import math

import torch


def length_mask(lengths: torch.Tensor, size: int) -> torch.Tensor:
    """``(B, size)``, True before each length."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def sinusoids(
    length: int, size: int, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """Sinusoidal positions ``(length, size)`` (arXiv 1706.03762, section 3.5)."""
    position = torch.arange(length, device=device)[:, None]
    step = torch.arange(0, size, 2, device=device)
    angle = position * torch.exp(step * (-math.log(10000.0) / size))
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :size].to(dtype)
