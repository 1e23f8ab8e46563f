"""The interface of every connector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from espnet_ssr.connector.heads import HullHead
from espnet_ssr.connector.segments import Rows, unpack_segments
from espnet_ssr.tensors import length_mask


@dataclass
class States:
    """What the head of a connector reads.

    Attributes:
        packed: states ``(S, d)`` of all utterances, one after the other.
        lengths: ``(B,)`` states of each utterance, ``S`` in sum.
        losses: see ``ConnectorOutput``.
    """

    packed: torch.Tensor
    lengths: torch.Tensor
    losses: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass
class ConnectorOutput:
    """What a connector returns.

    Attributes:
        embeds: vectors ``(B, N, H)`` of the LLM's embedding width, zero after each length.
        lengths: ``(B,)`` vectors of each utterance.
        losses: losses of the connector's own, by name (for example CIF's quantity loss), 0-d and
            weighted by the connector's options: they are added to the training's loss as they are.
        states: ``(S, d)`` that the head made the vectors of, without padding; None: not kept.
        scores: ``(S, C)`` of the candidates, without padding; None: there were no candidates.
    """

    embeds: torch.Tensor
    lengths: torch.Tensor
    losses: dict[str, torch.Tensor] = field(default_factory=dict)
    states: torch.Tensor | None = None
    scores: torch.Tensor | None = None

    def packed(self, utterance: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """Where in ``states`` and ``scores`` the vectors ``(P,)`` of utterances ``(P,)`` are."""
        return Rows.packed(self.lengths).first[utterance] + vector


class AbsConnector(torch.nn.Module, ABC):
    """Maps frame features to vectors of the LLM's embedding width."""

    needs_segmentation: bool = True
    """``forward`` needs ``token_end``."""

    token_aligned: bool = True
    """Told ``token_lengths``, it gives one vector a token, the ``i``-th for token ``i``: it can be
    distilled."""

    output: torch.nn.Linear | HullHead
    """The head, from a state to a vector of the LLM's width ``H``; connectors are built with a
    linear one."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.output.parameters()).device

    def output_size(self) -> int:
        """Width ``H`` of the vectors."""
        return self.output.out_features

    @torch.no_grad()
    def start_at(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """Let an untrained connector give about ``mean`` ``(H,)`` whatever it hears.

        The mean embedding is the best constant guess; PyTorch's default weights would add noise
        of several times the embeddings' variance to it, which takes epochs to unlearn.

        Args:
            mean: of the LLM's embeddings.
            deviation: their standard deviation in one dimension; the noise is about half of it.
        """
        if isinstance(self.output, HullHead):  # which gives about that mean by itself
            return
        # Weights drawn from U(-1, 1) / sqrt(fan in) turn unit variance into a variance of 1/3.
        self.output.weight.mul_(0.5 * 3**0.5 * deviation)
        self.output.bias.copy_(mean)

    def attach(self, embed: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Tell the head, if it needs them, where the LLM's embeddings are: token ids ``(...)`` ->
        ``(..., H)``."""
        if isinstance(self.output, HullHead):
            self.output.attach(embed)

    def store_keys(self) -> None:
        """Of the head keep what inference needs alone; see ``HullHead.store_keys``."""
        if isinstance(self.output, HullHead):
            self.output.store_keys()

    @abstractmethod
    def forward(
        self,
        feats: torch.Tensor,
        feats_lengths: torch.Tensor,
        token_end: torch.Tensor | None = None,
        token_lengths: torch.Tensor | None = None,
        candidates: torch.Tensor | None = None,
    ) -> ConnectorOutput:
        """Connect a batch.

        Args:
            feats: frame features ``(B, T, D)``.
            feats_lengths: ``(B,)`` in frames.
            token_end: index ``(B, M)`` of the last frame of each token's segment, never
                decreasing up to ``token_lengths``; what comes after that is ignored. A segment
                that is empty (its end is that of the one before) is taken to hold that frame.
            token_lengths: ``(B,)`` in tokens. A connector that needs no segmentation decides by
                itself how many vectors it gives if it is not told.
            candidates: tokens ``(C,)`` that a hull head scores and takes vectors of, ascending;
                None: see ``HullHead.forward``.
        """

    def match(
        self,
        vectors: torch.Tensor,
        lengths: torch.Tensor,
        targets: torch.Tensor,
        token_lengths: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Which vector is compared with which token in distillation: here the ``i``-th with the
        ``i``-th.

        Args:
            vectors: ``(B, N, H)`` and ``lengths``: ``(B,)``, as ``forward`` gave them.
            targets: embeddings ``(B, M, H)`` of the tokens and ``token_lengths``: ``(B,)``; both
                sides less the mean embedding.

        Returns:
            of each pair the utterance, the vector and the token, each ``(P,)``.
        """
        utterance, token = length_mask(token_lengths, targets.size(1)).nonzero(as_tuple=True)
        return utterance, token, token


class StateConnector(AbsConnector):
    """A connector that makes states and leaves it to its head to make vectors of them."""

    @abstractmethod
    def compress(
        self,
        feats: torch.Tensor,
        feats_lengths: torch.Tensor,
        token_end: torch.Tensor | None = None,
        token_lengths: torch.Tensor | None = None,
    ) -> States:
        """States of a batch, one for each vector; arguments as of ``forward``."""

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None, candidates=None):
        """See ``AbsConnector.forward``."""
        states = self.compress(feats, feats_lengths, token_end, token_lengths)
        scores = None
        if candidates is None:
            vectors = self.output(states.packed)
        else:
            scores = self.output.scores(states.packed, self.output.keys_of(candidates))
            vectors = self.output.mix(scores, candidates)
        embeds = unpack_segments(vectors, states.lengths)
        return ConnectorOutput(embeds, states.lengths, states.losses, states.packed, scores)
