"""Heads: from the state that a connector has of a segment to a vector of the LLM's width.

* ``linear`` (SSR, arXiv 2410.00168, section 3), a ``torch.nn.Linear``: any vector can come out. It
  learns where each token of the training set lies, and gives vectors of these only.
* ``hull``, ``HullHead``: posteriors of the LLM's tokens, and the sum of the LLM's own embeddings
  weighted by them, which lies in the embeddings' convex hull. Every token that can be spoken has a
  key, computed from its spelling or pronunciation, so tokens that never occur in training get
  posteriors, too.

The weighted sum is LegoSLM's (arXiv 2505.11352), which takes the posteriors of a frame's CTC label;
here there is one vector a segment, and so one a token. LegoSLM has a free output vector a
token; keys from spelling are those of acoustically grounded word embeddings (arXiv 1903.12306),
which are trained by a margin between whole words; here by the cross-entropy of the segment's token
among others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy, normalize

from espnet_ssr.connector.keys import ComputedKeys, StoredKeys

RAREST = 1e-5
"""Added to the share of a token in training: one that never occurs counts as one that does once in
100,000 tokens."""

CHUNK_NUMBERS = 2**25
"""Of scores, or of embeddings, that are computed at a time: 128 MiB in float32, and as much
again for the exponentials of scores."""


class Posteriors(NamedTuple):
    """Of ``S`` segments, the ``n`` most likely tokens.

    Attributes:
        ids: ``(S, n)``, the most likely first.
        probabilities: ``(S, n)``, of all tokens that can be spoken; not made to add up to 1.
        entropy: ``(S,)`` of the whole distribution, nats.
    """

    ids: torch.Tensor
    probabilities: torch.Tensor
    entropy: torch.Tensor


class HullHead(torch.nn.Module):
    """Posteriors of tokens by their keys, and sums of the LLM's embeddings.

    The score of token ``v`` is ``scale * cos(W state, key_v) + bias_v``.

    Args:
        in_features: width ``d`` of a state.
        out_features: width ``H`` of the LLM's embeddings.
        keys: of all tokens that can be spoken.
        negatives: tokens drawn for each batch beside its own, in training.
        top_k: tokens that a sum has out of training; 0: all. With ``q`` the probability that is
            left out, the vector is off by at most ``q`` times the diameter of the embeddings.
        sharpness: factor of the scores out of training: above 1 the sum is nearer to the most
            likely token's embedding.
        prior_weight: out of training, scores are less this times the log of the token's share in
            training (logit adjustment, arXiv 2007.07314): above 0 rare tokens are found more often,
            and frequent ones less.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        keys: ComputedKeys | StoredKeys,
        negatives: int = 1500,
        top_k: int = 32,
        sharpness: float = 1.0,
        prior_weight: float = 0.0,
    ):
        super().__init__()
        self.prior_weight = prior_weight
        self.in_features, self.out_features = in_features, out_features
        self.negatives, self.top_k, self.sharpness = negatives, top_k, sharpness
        self.query = torch.nn.Linear(in_features, keys.size)
        self.log_scale = torch.nn.Parameter(torch.tensor(math.log(10.0)))
        self.keys = keys
        # Of tokens in training, over all epochs; float, as checkpoints are averaged.
        self.register_buffer("counts", torch.zeros(len(keys.ids)))
        self._all_keys: tuple[torch.Tensor, torch.Tensor] | None = None
        self._embed: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = ()

    def attach(self, embed: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Say where embeddings come from: token ids ``(...)`` -> ``(..., H)``."""
        self._embed = (embed,)  # in a tuple, so that an LLM does not become a part of the head

    def store_keys(self) -> None:
        """Keep the computed keys, not what computes them: for inference alone. Their biases have
        the prior in them."""
        self.keys = StoredKeys(self.keys.ids, *self.all_keys())
        self.counts.zero_()
        self.prior_weight, self._all_keys = 0.0, None

    # Keys of all tokens are kept from call to call; these three are where weights change.
    def train(self, mode: bool = True) -> HullHead:
        self._all_keys = None
        return super().train(mode)

    def _apply(self, *args, **kwargs):
        self._all_keys = None
        return super()._apply(*args, **kwargs)

    def _load_from_state_dict(self, *args, **kwargs):
        self._all_keys = None
        super()._load_from_state_dict(*args, **kwargs)

    def draw_candidates(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens to score in training ``(C,)``, ascending: those of ``ids`` ``(...)`` that can be
        spoken, and drawn ones; and what is added to their scores ``(C,)`` in the loss.

        A drawn token stands for all that were not drawn, so that the loss is an estimate of the
        cross-entropy among all tokens (sampled softmax, arXiv 1412.2007, equation 10). Without
        that, rare tokens would get too high scores.
        """
        spoken = self.keys.ids
        drawn = torch.randint(len(spoken), (self.negatives,), device=spoken.device)
        own, counts = ids[self.can_be_spoken(ids)].unique(return_counts=True)
        self.counts.index_add_(0, torch.searchsorted(spoken, own), counts.to(self.counts.dtype))
        candidates = torch.cat([own, spoken[drawn]]).unique()
        others = len(candidates) - len(own)
        stands_for = math.log(max(len(spoken) - len(own), 1) / max(others, 1))
        return candidates, stands_for * (~torch.isin(candidates, own)).float()

    def can_be_spoken(self, ids: torch.Tensor) -> torch.Tensor:
        """Which of tokens ``(...)`` have a key."""
        place = torch.searchsorted(self.keys.ids, ids).clamp(max=len(self.keys.ids) - 1)
        return self.keys.ids[place] == ids

    def keys_of(self, candidates: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys ``(C, d)`` of length 1 and biases ``(C,)`` of tokens that can be spoken ``(C,)``."""
        return self.keys(torch.searchsorted(self.keys.ids, candidates))

    def all_keys(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and biases of all tokens, less the prior, computed once until weights may have
        changed."""
        if isinstance(self.keys, StoredKeys):
            return self.keys.matrix, self.keys.biases
        if self._all_keys is None:
            # Without autocast, as they may be used without it later.
            with torch.no_grad(), torch.autocast(self.keys.ids.device.type, enabled=False):
                parts = [self.keys_of(ids) for ids in self.keys.ids.split(4096)]
            keys, biases = (torch.cat(part) for part in zip(*parts, strict=True))
            share = self.counts / self.counts.sum().clamp(min=1)
            self._all_keys = keys, biases - self.prior_weight * (share + RAREST).log()
        return self._all_keys

    def scores(self, states: torch.Tensor, keys: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Scores ``(S, C)`` of states ``(S, d)``."""
        query = self.log_scale.exp() * normalize(self.query(states), dim=-1)
        return torch.addmm(keys[1], query, keys[0].T)

    def mix(self, scores: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Vectors ``(S, H)`` of the posteriors of scores ``(S, C)`` of tokens ``(C,)`` or
        ``(S, C)``."""
        if not self._embed:
            raise RuntimeError("no embeddings: call attach first")
        embeddings = self._embed[0](ids).detach().to(scores.dtype)
        probabilities = scores.softmax(-1)
        if ids.dim() == 1:
            return probabilities @ embeddings
        return torch.bmm(probabilities[:, None], embeddings).squeeze(1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Vectors ``(S, H)`` of states ``(S, d)``, of all tokens or of the ``top_k``."""
        keys = self.all_keys()
        k = min(self.top_k, len(self.keys.ids)) or len(self.keys.ids)
        vectors = []
        for part in states.split(self._chunk()):
            scores, ids = self.sharpness * self.scores(part, keys), self.keys.ids
            if k < len(ids):
                scores, place = scores.topk(k)
                ids = ids[place]
            vectors.append(self.mix(scores, ids))
        return torch.cat(vectors) if vectors else states.new_zeros(0, self.out_features)

    def cross_entropy(self, states: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Mean negative log posterior of tokens ``(S,)`` after states ``(S, d)``, among all tokens
        that can be spoken."""
        keys, place = self.all_keys(), torch.searchsorted(self.keys.ids, ids)
        parts = zip(states.split(self._chunk()), place.split(self._chunk()), strict=True)
        nats = [cross_entropy(self.scores(s, keys), p, reduction="sum") for s, p in parts]
        return sum(nats, states.new_zeros(())) / max(len(ids), 1)

    @torch.no_grad()
    def posteriors(self, states: torch.Tensor, n: int) -> Posteriors:
        """The ``n`` most likely tokens of each state ``(S, d)``."""
        keys, found = self.all_keys(), []
        for part in states.split(self._chunk()):
            log = (self.sharpness * self.scores(part, keys)).log_softmax(-1)
            best = log.topk(min(n, log.size(1)))
            entropy = torch.special.entr(log.exp()).sum(-1)
            found.append((self.keys.ids[best.indices], best.values.exp(), entropy))
        if not found:
            empty = states.new_zeros(0, min(n, len(self.keys.ids)))
            return Posteriors(empty.long(), empty, empty[:, 0])
        return Posteriors(*map(torch.cat, zip(*found, strict=True)))

    def _chunk(self) -> int:
        """States at a time: for their scores, and for the embeddings of their ``top_k``."""
        return max(1, CHUNK_NUMBERS // max(len(self.keys.ids), self.top_k * self.out_features))
