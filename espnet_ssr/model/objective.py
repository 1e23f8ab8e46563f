"""What distillation minimises: choices of losses between vectors and token embeddings."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from espnet_ssr.llm.cross_entropy import chunked_cross_entropy
from espnet_ssr.llm.embedding import EmbeddingSpace

LOSSES = (
    "cosine",
    "mse",
    "centred_cosine",
    "normalized_mse",
    "info_nce",
    "cross_entropy",
    "posterior",
)


class DistillObjective:
    """A weighted sum of losses, each a mean over tokens.

    * ``cosine``: 1 - cosine, and ``mse``: squared distance over the variance of the embeddings
      (SSR, arXiv 2410.00168, section 3.2; its MSE is this one times a constant, which is
      divided out so that weights mean the same for every LLM);
    * ``centred_cosine``: 1 - cosine after subtracting the mean embedding, and ``normalized_mse``:
      squared distance over the squared norm of the token's embedding (ACIF);
    * ``info_nce``: cross-entropy of the right token among the distinct tokens of the batch and
      ``negatives`` tokens drawn from the vocabulary (arXiv 1807.03748);
    * ``cross_entropy``: the same among the whole vocabulary;
    * ``posterior``: cross-entropy of a hull head's scores of the right token among the batch's and
      drawn ones; tokens that cannot be spoken are left out of it.

    The scores of ``info_nce`` and ``cross_entropy`` are centred cosines over ``temperature``: what
    decides which token is the nearest in evaluation.

    Args:
        weights: loss -> weight; at least one above 0. A loss of weight 0 is not computed.
        temperature: see above.
        negatives: tokens drawn anew for each batch.
    """

    def __init__(self, weights: dict[str, float], temperature: float = 0.05, negatives: int = 1024):
        unknown = sorted(set(weights) - set(LOSSES))
        if unknown or not any(weights.values()):
            raise ValueError(
                f"model_conf: losses: {f'unknown {unknown[0]!r}' if unknown else 'none given'}; "
                f"there are {', '.join(LOSSES)}"
            )
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.temperature = temperature
        self.negatives = negatives

    def __call__(
        self,
        vectors: torch.Tensor,
        ids: torch.Tensor,
        space: EmbeddingSpace,
        posterior: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Loss of vectors ``(S, H)`` of tokens ``(S,)``, and figures to show.

        Args:
            posterior: the loss of that name, which the scores of a hull head give.
        """
        stats = {name: values.mean() for name, values in space.fidelity(vectors, ids).items()}
        losses = {"cosine": 1 - stats["cosine"], "mse": stats["mse"]}
        losses["centred_cosine"] = 1 - stats["centred_cosine"]
        if "normalized_mse" in self.weights:
            stats["normalized_mse"] = _normalized_mse(vectors, space(ids))
            losses["normalized_mse"] = stats["normalized_mse"]
        if "info_nce" in self.weights:
            losses["info_nce"] = stats["info_nce"] = self._info_nce(vectors, ids, space)
        if "cross_entropy" in self.weights:
            losses["cross_entropy"] = stats["cross_entropy"] = chunked_cross_entropy(
                lambda part: space.centred_cosines(part) / self.temperature, vectors, ids
            )
        if "posterior" in self.weights:
            losses["posterior"] = stats["posterior"] = posterior
        total = sum(weight * losses[name] for name, weight in self.weights.items())
        return total, stats

    def _info_nce(self, vectors, ids, space: EmbeddingSpace) -> torch.Tensor:
        drawn = torch.randint(len(space.matrix), (self.negatives,), device=ids.device)
        # One candidate a token: the same word twice in a batch is no negative of itself.
        candidates = torch.cat([ids, drawn]).unique()
        scores = space.centred_cosines(vectors, candidates) / self.temperature
        return cross_entropy(scores.float(), torch.searchsorted(candidates, ids))


def _normalized_mse(vectors: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    squares = (vectors - targets).square().sum(-1)
    return (squares / targets.square().sum(-1).clamp(min=1e-12)).mean()
