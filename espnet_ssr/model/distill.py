"""Stage 1 of SSR (arXiv 2410.00168, section 3.2): distil token embeddings into the connector."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from espnet_ssr.connector.abs import AbsConnector, ConnectorOutput
from espnet_ssr.connector.heads import HullHead
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.model.objective import DistillObjective
from espnet_ssr.model.speech import SpeechModel
from espnet_ssr.tensors import length_mask


class SSRDistillModel(SpeechModel):
    """Connector outputs against the LLM's token embeddings.

    Args:
        connector: the only part that is trained; token-aligned.
        embedding: the LLM's embedding space.
        losses: loss -> weight, see ``DistillObjective``; the paper's by default, ``posterior`` of a
            hull head.
        temperature, negatives: see ``DistillObjective``.
        speech: what ``SpeechModel`` takes.
    """

    def __init__(
        self,
        connector: AbsConnector,
        embedding: EmbeddingSpace,
        losses: dict[str, float] | None = None,
        temperature: float = 0.05,
        negatives: int = 1024,
        **speech,
    ):
        super().__init__(connector, **speech)
        if not connector.token_aligned:
            raise ValueError(
                f"distillation needs a connector with one vector a token; train "
                f"{type(connector).__name__} through the LLM instead (--lm_config)"
            )
        self.embedding = embedding
        self.has_hull = isinstance(connector.output, HullHead)
        default = {"posterior": 1.0} if self.has_hull else {"cosine": 1.0, "mse": 1.0}
        self.objective = DistillObjective(losses or default, temperature, negatives)
        if "posterior" in self.objective.weights and not self.has_hull:
            raise ValueError(
                "model_conf: losses: posterior needs a head with posteriors: head: hull"
            )
        connector.start_at(embedding.mean, embedding.deviation)
        connector.attach(embedding)

    def forward(self, token_id, token_id_lengths, token_end=None, utt_id=None, **batch):
        """One batch.

        Args:
            token_id: ``(B, M)``; token_id_lengths: ``(B,)``.
            token_end: end times ``(B, M)`` in seconds.
            batch: ``feats (B, T, D)`` and ``feats_lengths``, or ``speech (B, N)`` and
                ``speech_lengths``.

        Returns:
            ``(loss, stats, weight)``; the weight is the number of tokens.
        """
        candidates = offsets = None
        if self.has_hull and self.training:
            tokens = token_id[length_mask(token_id_lengths, token_id.size(1))]
            candidates, offsets = self.connector.output.draw_candidates(tokens)
        output = self.connect(token_end, token_id_lengths, candidates, **batch)
        vectors, ids, packed = self._match(output, token_id, token_id_lengths)
        posterior = None
        if "posterior" in self.objective.weights:
            posterior = self._posterior_loss(output, packed, ids, candidates, offsets)
        loss, stats = self.objective(vectors, ids, self.embedding, posterior)
        if not self.training:
            # Against the whole vocabulary: as dear as the rest together, so in validation only.
            stats["token_accuracy"] = (self.embedding.nearest(vectors) == ids).float().mean()
        loss, stats = self.add_losses(loss, stats, output)
        return loss, stats, token_id_lengths.sum()

    def _match(self, output: ConnectorOutput, token_id, token_lengths):
        """Vectors ``(P, H)``, the tokens ``(P,)`` that they are compared with, and where the
        vectors ``(P,)`` are among the output's packed ones."""
        mean = self.embedding.mean
        with torch.no_grad():
            utterance, vector, token = self.connector.match(
                output.embeds - mean, output.lengths, self.embedding(token_id) - mean, token_lengths
            )
        packed = output.packed(utterance, vector)
        return output.embeds[utterance, vector], token_id[utterance, token], packed

    def _posterior_loss(
        self, output: ConnectorOutput, packed, ids, candidates, offsets
    ) -> torch.Tensor:
        """Cross-entropy of the tokens ``(P,)`` that can be spoken among the candidates; without
        any, in validation, among all."""
        head = self.connector.output
        spoken = head.can_be_spoken(ids)
        packed, ids = packed[spoken], ids[spoken]
        if candidates is None:
            return head.cross_entropy(output.states[packed], ids)
        scores = output.scores[packed].float() + offsets
        total = cross_entropy(scores, torch.searchsorted(candidates, ids), reduction="sum")
        return total / max(len(ids), 1)
