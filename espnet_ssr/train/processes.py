"""Which of the processes that train together this one is."""

from __future__ import annotations

import torch


def rank() -> int:
    """Number of this process, from 0; 0 if it is alone."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
