"""Viterbi search on a GPU: all utterances and states of a frame in a few tensor operations.

Frames beyond the end of an utterance count as blanks of probability one, and there is at least one
of them: so every path ends in its last blank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from espnet_ssr.align import viterbi_lattice
from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.viterbi_lattice import FramePath, Lattice, nan_error, no_path_error
from espnet_ssr.align.viterbi_numba import trace


def search(
    log_probs: torch.Tensor, lengths: np.ndarray, blank: int, lattices: dict[int, Lattice]
) -> dict[int, FramePath | AlignError]:
    """Best paths of a batch; arguments as of ``viterbi_numba.search``."""
    log_probs = log_probs.detach()
    found = {b: nan_error(t) for b, t in first_bad_frames(log_probs, lengths) if b in lattices}
    good = [b for b in lattices if b not in found]
    if good:
        if len(good) < len(log_probs):
            log_probs = log_probs[good]
        batch = BatchSearch(log_probs, lengths[good], blank, [lattices[b] for b in good])
        found.update(zip(good, batch.run(), strict=True))
    return found


def first_bad_frames(log_probs: torch.Tensor, lengths: np.ndarray) -> list[tuple[int, int]]:
    """Utterances with NaN or +inf, and their first frame with one."""
    position = torch.arange(log_probs.size(1), device=log_probs.device)
    inside = position < torch.as_tensor(lengths, device=log_probs.device)[:, None]
    bad = ~(log_probs.amax(2) < math.inf) & inside
    return [(b, int(bad[b].int().argmax())) for b in bad.any(1).nonzero().flatten().tolist()]


class BatchSearch:
    """The search where there are no NaN: ``log_probs`` ``(B, T, V)`` with a lattice for each
    utterance, padded to the ``S = 2 K`` states of the longest."""

    def __init__(
        self,
        log_probs: torch.Tensor,
        lengths: np.ndarray,
        blank: int,
        lattices: Sequence[Lattice],
    ):
        self.log_probs = log_probs
        self.device = log_probs.device
        self.lengths = lengths
        self.lattices = lattices
        self.num_frames = int(lengths.max()) + 1
        self.frames = torch.as_tensor(lengths, device=self.device)[:, None]
        # By state: column of log_probs; 0 where it may be entered from two states before.
        shape = len(lattices), max(len(lattice.symbols) for lattice in lattices), 2
        symbols, skip = np.full(shape, blank), np.full(shape, -np.inf, np.float32)
        for b, lattice in enumerate(lattices):
            symbols[b, : len(lattice.symbols), 1] = lattice.symbols
            skip[b, : len(lattice.symbols), 1] = lattice.skip
        self.symbols = torch.from_numpy(symbols).flatten(1).to(self.device)
        self.skip = torch.from_numpy(skip).flatten(1).to(self.device)

    def run(self) -> list[FramePath | AlignError]:
        """The best path of each utterance."""
        paths = self.backward(self.forward())[:, :-1]
        index = torch.as_tensor(paths.clip(min=0), dtype=torch.long, device=self.device)
        symbols = self.symbols.gather(1, index)[..., None]
        scores = self.log_probs[:, : self.num_frames - 1].gather(2, symbols).squeeze(2)
        scores = scores.float().cpu().numpy()
        return [
            FramePath(path[:n], score[:n]) if path[0] >= 0 else no_path_error(lattice)
            for path, score, n, lattice in zip(
                paths, scores, self.lengths, self.lattices, strict=True
            )
        ]

    def forward(self) -> list[torch.Tensor]:
        """Scores ``(B, S + 2)`` before the first frame of each block (see ``advance``)."""
        scores = torch.full((len(self.skip), self.skip.size(1) + 2), -math.inf, device=self.device)
        scores[:, 1] = 0
        checkpoints = [scores]
        block = viterbi_lattice.BLOCK
        for end in range(block, self.num_frames, block):
            scores = scores.clone()
            self.advance(range(end - block, end), self.symbols, self.skip, scores)
            self.rebase(scores, end - 1)
            checkpoints.append(scores)
        return checkpoints

    def rebase(self, scores: torch.Tensor, frame: int) -> None:
        """Make the best label's score zero, as ``viterbi_numba.forward`` does."""
        for row, lattice in zip(scores, self.lattices, strict=True):
            labels = row[3::2][lattice.labels_in_frame(frame)]
            if len(labels) > 0 and labels.max() > -math.inf:
                row -= labels.max()

    def advance(
        self,
        block: range,
        symbols: torch.Tensor,
        skip: torch.Tensor,
        scores: torch.Tensor,
        moves: torch.Tensor | None = None,
    ) -> None:
        """Take ``scores`` through the frames of ``block``, in place.

        Args:
            symbols, skip: all states or a window of them, ``(B, S)``.
            scores: ``(B, S + 2)``, that of state ``s`` at ``s + 2``. The label before the first
                state is at 1: at the start of the utterance every path is there.
            moves: ``(len(block), B, S)`` uint8 to be filled. Of equal scores the shortest move
                wins.
        """
        shortest = int(self.lengths.min())
        is_label = torch.arange(skip.size(1), device=self.device) % 2 == 1
        padding = torch.zeros(skip.size(1), device=self.device).masked_fill(is_label, -math.inf)
        for i, t in enumerate(block):
            row = self.log_probs[:, min(t, self.num_frames - 2)]
            emission = row.gather(1, symbols).float()
            if t >= shortest:
                emission = torch.where(t < self.frames, emission, padding)
            stay, enter, skipping = scores[:, 2:], scores[:, 1:-1], scores[:, :-2] + skip
            best = torch.maximum(stay, enter)
            if moves is not None:
                moves[i] = (enter > stay).byte().masked_fill_(skipping > best, 2)
            torch.add(torch.maximum(best, skipping), emission, out=scores[:, 2:])
            scores[:, 1] = -math.inf

    def backward(self, checkpoints: list[torch.Tensor]) -> np.ndarray:
        """States ``(B, T + 1)`` of the best paths, -1 where all paths score -inf."""
        paths = np.full((len(self.lattices), self.num_frames), -1, np.int32)
        state = np.array([2 * len(lattice.symbols) - 2 for lattice in self.lattices])
        alive = None
        for i in range(len(checkpoints) - 1, -1, -1):
            begin = i * viterbi_lattice.BLOCK
            block = range(self.num_frames)[begin : begin + viterbi_lattice.BLOCK]
            first, moves, end_scores = self.block_moves(block, checkpoints.pop(), state)
            if alive is None:
                alive = np.flatnonzero(end_scores > -np.inf)
            for b in alive:
                path = paths[b, begin : begin + len(block)]
                state[b] = first[b] + trace(moves[:, b], state[b] - first[b], path)
                path += first[b]
        return paths

    def block_moves(
        self, block: range, scores: torch.Tensor, state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Moves of ``block`` in the window of states below ``state`` ``(B,)``, that of its end.

        Returns:
            first state ``(B,)`` of each window, moves ``(len(block), B, S)`` and the score ``(B,)``
            of ``state`` at the end.
        """
        num_pairs = self.skip.size(1) // 2
        width = min(len(block) + 2, num_pairs)
        first = 2 * (state // 2 - len(block) - 1).clip(0, num_pairs - width)
        index = torch.as_tensor(first, device=self.device)[:, None]
        index = index + torch.arange(2 * width + 2, device=self.device)
        scores = scores.gather(1, index)
        symbols, skip = (x.gather(1, index[:, :-2]) for x in (self.symbols, self.skip))
        moves = torch.empty(len(block), *skip.shape, dtype=torch.uint8, device=self.device)
        self.advance(block, symbols, skip, scores, moves)
        end = torch.as_tensor(state - first + 2, device=self.device)[:, None]
        return first, moves.cpu().numpy(), scores.gather(1, end)[:, 0].cpu().numpy()
