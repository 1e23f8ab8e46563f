"""Small functions on tensors that aligners, connectors and trainings share."""

from __future__ import annotations

import math
import os

import torch


def read_tensors(path: str | os.PathLike) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name, on the CPU; nothing but tensors is unpickled.

    Raises:
        RuntimeError: the file is missing or damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise RuntimeError(f"{path}: not a readable checkpoint ({error})") from error


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
