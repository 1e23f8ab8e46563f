"""Stage 1 of SSR (arXiv 2410.00168, section 3.2): distil token embeddings into the connector."""

from __future__ import annotations

import torch

from espnet_ssr.connector.abs import AbsConnector, ConnectorOutput
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.model.objective import DistillObjective
from espnet_ssr.model.speech import SpeechModel


class SSRDistillModel(SpeechModel):
    """Connector outputs against the LLM's token embeddings.

    Args:
        connector: the only part that is trained; token-aligned.
        embedding: the LLM's embedding space.
        losses: loss -> weight, see ``DistillObjective``; the paper's by default.
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
        self.objective = DistillObjective(
            losses or {"cosine": 1.0, "mse": 1.0}, temperature, negatives
        )
        connector.start_at(embedding.mean, embedding.deviation)

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
        output = self.connect(token_end, token_id_lengths, **batch)
        vectors, ids = self._match(output, token_id, token_id_lengths)
        loss, stats = self.objective(vectors, ids, self.embedding)
        if not self.training:
            # Against the whole vocabulary: as dear as the rest together, so in validation only.
            stats["token_accuracy"] = (self.embedding.nearest(vectors) == ids).float().mean()
        loss, stats = self.add_losses(loss, stats, output)
        return loss, stats, token_id_lengths.sum()

    def _match(self, output: ConnectorOutput, token_id, token_lengths):
        """Vectors ``(P, H)`` and the tokens ``(P,)`` that they are compared with."""
        mean = self.embedding.mean
        with torch.no_grad():
            utterance, vector, token = self.connector.match(
                output.embeds - mean, output.lengths, self.embedding(token_id) - mean, token_lengths
            )
        return output.embeds[utterance, vector], token_id[utterance, token]
