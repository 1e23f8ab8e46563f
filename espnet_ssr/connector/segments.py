"""Segments as frame indices: from times, into packed batches, into means.

Segment ``j`` covers the frames ``end[j - 1] + 1 ... end[j]`` (segment 0 starts at frame 0). Where
that is no frame at all, ``end[j] == end[j - 1]``, it is taken to hold the frame at its end.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from espnet_ssr.tensors import length_mask


def seconds_to_frames(
    token_end: torch.Tensor,
    token_lengths: torch.Tensor,
    feats_lengths: torch.Tensor,
    frame_rate: float,
) -> torch.Tensor:
    """Last frame of each token: ``ceil(seconds * frame_rate) - 1`` with a frame for everyone.

    A token whose segment would be empty takes the next free frame, and the last tokens move
    back where the utterance ends too early, so segments are never empty as long as there are
    as many frames as tokens.

    Args:
        token_end: end times ``(B, M)`` in seconds, never decreasing.
        token_lengths: ``(B,)`` in tokens.
        feats_lengths: ``(B,)`` in frames, at least ``token_lengths``.
        frame_rate: frames a second.

    Returns:
        ``(B, M)`` long, strictly increasing up to each length.
    """
    position = torch.arange(token_end.size(1), device=token_end.device)
    # 1e-2 frames of tolerance: 0.34 s at 50 Hz is 17 frames, whatever float32 makes of it, and so
    # is every edge of the first hour.
    frames = torch.ceil(token_end.double() * frame_rate - 1e-2).long() - 1
    frames = frames.clamp(min=0)
    # The smallest strictly increasing sequence that is nowhere below ``frames``.
    frames = torch.cummax(frames - position, dim=1).values + position
    # Leave a frame for each token still to come.
    latest = feats_lengths[:, None] - token_lengths[:, None] + position
    return torch.minimum(frames, latest)


def segment_starts(token_end: torch.Tensor) -> torch.Tensor:
    """First frame ``(B, M)`` of each segment; that of an empty one is the frame at its end."""
    start = torch.nn.functional.pad(token_end[:, :-1] + 1, (1, 0))
    return torch.minimum(start, token_end)


class Rows(NamedTuple):
    """Rows of consecutive states ``first ... first + length - 1`` of packed states ``(P, ...)``.

    Attributes:
        first: ``(R,)`` index of each row's first state.
        lengths: ``(R,)`` states in each row.
    """

    first: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def packed(cls, lengths: torch.Tensor) -> Rows:
        """Rows that lie one behind the other."""
        return cls(lengths.cumsum(0) - lengths, lengths)

    @property
    def last(self) -> torch.Tensor:
        """``(R,)`` index of each row's last state."""
        return self.first + self.lengths - 1

    def take(self, rows: torch.Tensor) -> Rows:
        """Some of the rows."""
        return Rows(self.first[rows], self.lengths[rows])

    def members(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Index ``(N,)`` of each row's states, row by row, and the row ``(N,)`` of each."""
        row = torch.repeat_interleave(self.lengths)
        shift = self.first - Rows.packed(self.lengths).first
        return torch.arange(len(row), device=row.device) + shift[row], row

    def padded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Index ``(R, L)`` of each row's states, its last one repeated, and True where it is not
        a repetition."""
        offset = torch.arange(int(self.lengths.max()), device=self.first.device)
        index = self.first[:, None] + torch.minimum(offset, self.lengths[:, None] - 1)
        return index, length_mask(self.lengths, len(offset))


def pack_segments(token_end: torch.Tensor, token_lengths: torch.Tensor, num_frames: int) -> Rows:
    """All segments ``(S,)`` of a batch, utterance by utterance, as rows of its frames ``(B * T,)``.

    Args:
        token_end: ``(B, M)``; token_lengths: ``(B,)``.
        num_frames: ``T``, frames of an utterance with its padding.
    """
    mask = length_mask(token_lengths, token_end.size(1))
    start, end = segment_starts(token_end)[mask], token_end[mask]
    utterance = torch.repeat_interleave(token_lengths)
    return Rows(utterance * num_frames + start, end - start + 1)


def pack_groups(
    feats: torch.Tensor, lengths: torch.Tensor, size: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cut each utterance into groups of ``size`` frames, the last one filled up with zeros.

    Args:
        feats: ``(B, T, D)``; lengths: ``(B,)`` in frames.

    Returns:
        the groups ``(S, size, D)`` of all utterances, one after the other; ``(S, size)``, True
        where a group has frames; ``(B,)``, the groups of each utterance, which ``S`` is the sum of.
    """
    missing = -feats.size(1) % size
    feats = torch.nn.functional.pad(feats, (0, 0, 0, missing)).unflatten(1, (-1, size))
    mask = length_mask(lengths, feats.size(1) * size).unflatten(1, (-1, size))
    used = mask[..., 0]
    return feats[used].where(mask[used][..., None], 0), mask[used], used.sum(1)


def unpack_segments(packed: torch.Tensor, token_lengths: torch.Tensor) -> torch.Tensor:
    """One vector a segment ``(S, H)`` back to ``(B, M, H)``, zero after each length."""
    mask = length_mask(token_lengths, int(token_lengths.max()))
    embeds = packed.new_zeros(*mask.shape, packed.size(-1))
    return embeds.masked_scatter(mask[..., None], packed)


def cumulative_frames(feats: torch.Tensor) -> torch.Tensor:
    """Sums over frames from the start, for ``segment_means``: ``(B, T, D)`` -> ``(B, T + 1, D)``.

    In double precision, as the difference of two sums over an hour loses the digits that matter.
    """
    return torch.nn.functional.pad(feats.double().cumsum(1), (0, 0, 1, 0))


def segment_means(cumulative: torch.Tensor, start: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """Mean ``(B, M, D)`` of the frames ``start ... end``, both included, of ``(B, M)`` segments."""
    expand = (-1, -1, cumulative.size(-1))
    upper = cumulative.gather(1, (end + 1)[..., None].expand(*expand))
    lower = cumulative.gather(1, start[..., None].expand(*expand))
    return ((upper - lower) / (end - start + 1)[..., None]).float()
