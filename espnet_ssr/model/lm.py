"""A connector trained through the frozen LLM, which is to write down what the vectors say."""

from __future__ import annotations

import torch

from espnet_ssr.connector.abs import AbsConnector
from espnet_ssr.llm.cross_entropy import score_tokens
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.llm.load import FrozenLLM
from espnet_ssr.llm.prompt import Prompt
from espnet_ssr.model.speech import SpeechModel

LOSSES = {"cross_entropy": "nats", "kl": "divergence"}
"""Loss -> the score of a token that it is the mean of."""


class SSRLMModel(SpeechModel):
    """Next-token prediction of the transcript after the vectors; any connector can be trained so.

    Args:
        connector: the only part that is trained.
        llm: reads the vectors.
        prompt: what stands around them.
        loss: ``cross_entropy`` of the transcript, or ``kl``: divergence from what the LLM predicts
            when it reads the transcript's own embeddings in place of the vectors.
        speech: what ``SpeechModel`` takes.
    """

    def __init__(
        self,
        connector: AbsConnector,
        llm: FrozenLLM,
        prompt: Prompt,
        loss: str = "cross_entropy",
        **speech,
    ):
        super().__init__(connector, **speech)
        if loss not in LOSSES:
            raise ValueError(f"model_conf: loss: unknown {loss!r}; there are {', '.join(LOSSES)}")
        if any(p.requires_grad for p in llm.parameters()):
            raise ValueError("the LLM has trainable parameters, but the connector alone is trained")
        if not any(p.requires_grad for p in connector.parameters()):
            raise ValueError(f"{type(connector).__name__} has no trainable parameters")
        self.llm = llm
        self.prompt = prompt
        self.loss = loss
        space = EmbeddingSpace(llm.embedding_matrix())
        connector.start_at(space.mean, space.deviation)

    def forward(self, token_id, token_id_lengths, token_end=None, utt_id=None, **batch):
        """One batch.

        Args:
            token_id: ``(B, M)``; token_id_lengths: ``(B,)``.
            token_end: end times ``(B, M)`` in seconds, for connectors that need segments.
            batch: ``feats (B, T, D)`` and ``feats_lengths``, or ``speech (B, N)`` and
                ``speech_lengths``.

        Returns:
            ``(loss, stats, weight)``; the weight is the number of tokens that are predicted, ends
            of transcripts included.
        """
        # In validation, as in use, a connector without segments is not told the number of tokens.
        told = self.training or self.connector.needs_segmentation
        output = self.connect(token_end, token_id_lengths if told else None, **batch)
        vectors = [v[:n] for v, n in zip(output.embeds, output.lengths.tolist(), strict=True)]
        texts = [ids[:n] for ids, n in zip(token_id, token_id_lengths.tolist(), strict=True)]
        scores = self._score(vectors, texts)
        stats = {"nats": scores.nats.mean(), "token_accuracy": scores.correct.mean()}
        if self.loss == "kl":
            stats["kl"] = scores.divergence.mean()
        loss = getattr(scores, LOSSES[self.loss]).mean()
        loss, stats = self.add_losses(loss, stats, output)
        return loss, stats, torch.tensor(len(scores.nats), device=loss.device)

    def _score(self, vectors: list[torch.Tensor], texts: list[torch.Tensor]):
        """Scores of the transcripts' tokens and ends, utterance by utterance."""
        end = texts[0].new_tensor(self.prompt.end)
        targets = [torch.cat([ids, end]) for ids in texts]
        states = self.prompt.states(vectors, targets, self.llm)
        teacher = None
        if self.loss == "kl":
            with torch.no_grad():
                embedded = [self.llm.embed(ids) for ids in texts]
                teacher = self.prompt.states(embedded, targets, self.llm)
        return score_tokens(self.llm.logits, states, torch.cat(targets), teacher)
