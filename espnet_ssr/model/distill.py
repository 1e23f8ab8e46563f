"""Stage 1 of SSR (arXiv 2410.00168, section 3.2): distil token embeddings into the connector."""

from __future__ import annotations

import torch
from espnet2.train.abs_espnet_model import AbsESPnetModel

from espnet_ssr.connector.abs import AbsConnector
from espnet_ssr.connector.segments import seconds_to_frames
from espnet_ssr.encoder.abs import AbsEncoder
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.tensors import length_mask
from espnet_ssr.train.checkpoint import TrainedWeightsMixin


class SSRDistillModel(TrainedWeightsMixin, AbsESPnetModel):
    """Connector outputs against the LLM's token embeddings.

    ``loss = cosine_weight * (1 - cosine) + mse_weight * mse``, both averaged over tokens. The
    paper's MSE is ``mse`` times the variance of the embeddings; dividing by it makes the
    weights mean the same for every LLM.

    Args:
        connector: the only part that is trained; token-aligned.
        embedding: the LLM's embedding space.
        encoder: encodes ``speech`` on the fly; None when ``feats`` were extracted beforehand.
        frame_rate: frames a second of the features.
        cosine_weight, mse_weight: weights of the two losses.
    """

    def __init__(
        self,
        connector: AbsConnector,
        embedding: EmbeddingSpace,
        encoder: AbsEncoder | None,
        frame_rate: float,
        cosine_weight: float = 1.0,
        mse_weight: float = 1.0,
    ):
        super().__init__()
        if not connector.token_aligned:
            raise ValueError("distillation needs a connector with one vector a token")
        self.connector = connector
        self.embedding = embedding
        self.encoder = encoder
        self.frame_rate = frame_rate
        self.cosine_weight = cosine_weight
        self.mse_weight = mse_weight
        connector.start_at(embedding.mean, (embedding.variance / embedding.width).sqrt())

    def forward(self, token_id, token_id_lengths, token_end, utt_id=None, **batch):
        """One batch.

        Args:
            token_id: ``(B, M)``; token_id_lengths: ``(B,)``.
            token_end: end times ``(B, M)`` in seconds.
            batch: ``feats (B, T, D)`` and ``feats_lengths``, or ``speech (B, N)`` and
                ``speech_lengths``.

        Returns:
            ``(loss, stats, weight)``; the weight is the number of tokens.
        """
        vectors = self.connect(token_end, token_id_lengths, **batch)
        ids = token_id[length_mask(token_id_lengths, token_id.size(1))]
        means = {k: v.mean() for k, v in self.embedding.fidelity(vectors, ids).items()}
        loss = self.cosine_weight * (1 - means["cosine"]) + self.mse_weight * means["mse"]
        stats = {"loss": loss.detach(), **{k: v.detach() for k, v in means.items()}}
        if not self.training:
            # Against the whole vocabulary: as dear as the rest together, so in validation only.
            stats["token_accuracy"] = (self.embedding.nearest(vectors) == ids).float().mean()
        return loss, stats, torch.tensor(len(ids), device=loss.device)

    def connect(self, token_end, token_lengths, **batch) -> torch.Tensor:
        """Vectors ``(S, H)`` of all tokens of a batch, utterance by utterance."""
        feats, feats_lengths = self.encode(**batch)
        frames = seconds_to_frames(token_end, token_lengths, feats_lengths, self.frame_rate)
        embeds = self.connector(feats, feats_lengths, frames, token_lengths).embeds
        return embeds[length_mask(token_lengths, embeds.size(1))]

    def connect_one(self, feats: torch.Tensor, token_end: torch.Tensor) -> torch.Tensor:
        """Vectors ``(M, H)`` of one utterance: features ``(T, D)``, last frames ``(M,)``.

        Inputs may be on any device; the vectors are on the CPU.
        """
        device = self.connector.output.weight.device
        lengths = [torch.tensor([len(x)], device=device) for x in (feats, token_end)]
        feats, token_end = feats[None].to(device), token_end[None].to(device)
        return self.connector(feats, lengths[0], token_end, lengths[1]).embeds[0].cpu()

    def encode(self, feats=None, feats_lengths=None, speech=None, speech_lengths=None, **_):
        """Frame features ``(B, T, D)`` and their lengths, extracted or computed now."""
        if feats is not None:
            return feats, feats_lengths
        return self.encoder(speech, speech_lengths)

    def collect_feats(self, **batch) -> dict[str, torch.Tensor]:
        """Nothing to collect: the connector normalises its input itself."""
        return {}
