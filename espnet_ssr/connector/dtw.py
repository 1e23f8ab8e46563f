"""Dynamic time warping of batches: the best monotonic path through matrices of costs."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

# Where the path comes from; the first of equally good ones is taken.
_BOTH, _ROW, _COLUMN = 0, 1, 2


@torch.no_grad()
def dtw_path(
    cost: torch.Tensor, n_lengths: torch.Tensor, m_lengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cheapest path from the first to the last cell of each matrix.

    A step goes one row, one column or both further and costs what the cell it reaches costs
    (Sakoe and Chiba 1978, without weights or slope constraint), so every row and every column is
    on the path. Of equally cheap ways to a cell, one that went both further comes first, then one
    that went a row further. Takes ``N + M`` steps over the batch, and ``B (N + M) M`` memory.

    Args:
        cost: ``(B, N, M)``, float32 or better.
        n_lengths: rows ``(B,)`` and m_lengths: columns ``(B,)`` of each matrix.

    Returns:
        of each cell on a path the utterance, the row and the column, each ``(P,)``; utterance by
        utterance, from the first cell to the last. A matrix without a row or column has none.
    """
    steps = _best_steps(_antidiagonals(cost))
    row, column = n_lengths - 1, m_lengths - 1
    on_path = (row >= 0) & (column >= 0)
    utterance = torch.arange(len(cost), device=cost.device)
    cells = []
    for _ in range(steps.size(1)):
        cells.append(torch.stack([utterance, row, column, on_path]))
        i, j = row.clamp(min=0), column.clamp(min=0)
        step = steps[utterance, i + j, j]
        # Never off the matrix, whatever the costs are (NaN for one).
        step = step.where(column > 0, _ROW).where(row > 0, _COLUMN)
        row, column = row - (step != _COLUMN).long(), column - (step != _ROW).long()
        on_path = on_path & (row >= 0) & (column >= 0)
    # From (last to first, 4, B) to (4, B, first to last).
    utterance, row, column, on_path = torch.stack(cells).flip(0).permute(1, 2, 0)
    on_path = on_path.bool()
    return utterance[on_path], row[on_path], column[on_path]


def _antidiagonals(cost: torch.Tensor) -> torch.Tensor:
    """``(B, N, M)`` -> ``(B, N + M - 1, M)``: cell ``(i, j)`` at ``[i + j, j]``, else infinite."""
    _, n, m = cost.shape
    column = torch.arange(m, device=cost.device)
    row = torch.arange(n + m - 1, device=cost.device)[:, None] - column
    outside = (row < 0) | (row >= n)
    return cost[:, row.clamp(0, n - 1), column].masked_fill(outside, torch.inf)


def _best_steps(diagonals: torch.Tensor) -> torch.Tensor:
    """How the best path comes to each cell of ``(B, K, M)``, int8."""
    # Costs of the paths to the cells of the last two diagonals, with a column before the first;
    # the corner before the first cell is where all paths start.
    previous = torch.full_like(pad(diagonals[:, 0], (1, 0)), torch.inf)
    before = previous.clone()
    before[:, 0] = 0.0
    steps = []
    for cost in diagonals.unbind(1):
        origins = torch.stack([before[:, :-1], previous[:, 1:], previous[:, :-1]])
        best, step = origins.min(0)
        steps.append(step.to(torch.int8))
        before, previous = previous, pad(cost + best, (1, 0), value=torch.inf)
    return torch.stack(steps, dim=1)
