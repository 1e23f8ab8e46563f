"""What models with a connector share: from features or audio to vectors."""

from __future__ import annotations

import torch
from espnet2.asr.specaug.specaug import SpecAug
from espnet2.train.abs_espnet_model import AbsESPnetModel

from espnet_ssr.connector.abs import AbsConnector, ConnectorOutput
from espnet_ssr.connector.segments import seconds_to_frames
from espnet_ssr.encoder.abs import AbsEncoder
from espnet_ssr.train.checkpoint import TrainedWeightsMixin


class SpeechModel(TrainedWeightsMixin, AbsESPnetModel):
    """Encoder, masks and connector.

    Args:
        connector: what is trained.
        encoder: encodes ``speech`` on the fly; None when ``feats`` were extracted beforehand.
        frame_rate: frames a second of the features.
        specaug: masks features in training; without time warping, which would move them away from
            their segments.
    """

    def __init__(
        self,
        connector: AbsConnector,
        encoder: AbsEncoder | None,
        frame_rate: float,
        specaug: SpecAug | None = None,
    ):
        super().__init__()
        self.connector = connector
        self.encoder = encoder
        self.frame_rate = frame_rate
        self.specaug = specaug

    def freeze_connector(self) -> None:
        """Train other parts only. The connector stays in evaluation mode and in checkpoints."""
        self.kept = frozenset(n for n in self.state_dict() if n.startswith("connector."))
        self.connector.requires_grad_(False)

    def count_connector(self) -> int:
        """Parameters of the connector that are trained, or were before it was frozen."""
        return sum(
            parameter.numel()
            for name, parameter in self.connector.named_parameters()
            if parameter.requires_grad or f"connector.{name}" in self.kept
        )

    def train(self, mode: bool = True) -> SpeechModel:
        """Set the mode of everything but a frozen connector."""
        super().train(mode)
        if self.kept:
            self.connector.eval()
        return self

    def connect(
        self,
        token_end: torch.Tensor | None,
        token_lengths: torch.Tensor | None,
        candidates: torch.Tensor | None = None,
        **batch: torch.Tensor,
    ) -> ConnectorOutput:
        """Vectors of a batch.

        Args:
            token_end: end times ``(B, M)`` in seconds; None for connectors that do without.
            token_lengths: ``(B,)``; None where the connector shall decide how many.
            candidates: tokens ``(C,)`` that a hull head scores in training; None: all.
            batch: see ``encode``.

        Raises:
            ValueError: the connector needs segments, and there are none.
        """
        if self.connector.needs_segmentation and token_end is None:
            raise ValueError(f"{type(self.connector).__name__} needs segments: give token_end")
        feats, feats_lengths = self.encode(**batch)
        if self.training and self.specaug is not None:
            feats, feats_lengths = self.specaug(feats, feats_lengths)
        frames = None
        if self.connector.needs_segmentation:
            frames = seconds_to_frames(token_end, token_lengths, feats_lengths, self.frame_rate)
        # Only heads with posteriors know candidates.
        scored = {} if candidates is None else {"candidates": candidates}
        return self.connector(feats, feats_lengths, frames, token_lengths, **scored)

    def connect_one(
        self, feats: torch.Tensor, token_end: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Vectors ``(N, H)`` of one utterance.

        Inputs may be on any device; the vectors are on the CPU.

        Args:
            feats: ``(T, D)``.
            token_end: last frames ``(M,)``, of which a connector that needs no segmentation takes
                the number only; None: it decides by itself how many vectors there are.
        """
        output = self.output_of_one(feats, token_end)
        return output.embeds[0, : int(output.lengths)].cpu()

    def output_of_one(
        self, feats: torch.Tensor, token_end: torch.Tensor | None = None
    ) -> ConnectorOutput:
        """What ``connect_one`` takes its vectors from; on the connector's device."""
        device = self.connector.device
        token_lengths = None
        if token_end is not None:
            token_lengths = torch.tensor([len(token_end)], device=device)
            token_end = token_end[None].to(device)
        feats_lengths = torch.tensor([len(feats)], device=device)
        return self.connector(feats[None].to(device), feats_lengths, token_end, token_lengths)

    @staticmethod
    def add_losses(
        loss: torch.Tensor, stats: dict[str, torch.Tensor], output: ConnectorOutput
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """What is minimised, the connector's own losses included, and the figures to show."""
        loss = sum(output.losses.values(), loss)
        stats = {"loss": loss, **stats, **output.losses}
        return loss, {name: value.detach() for name, value in stats.items()}

    def encode(self, feats=None, feats_lengths=None, speech=None, speech_lengths=None, **_):
        """Frame features ``(B, T, D)`` and lengths: ``feats``, or ``speech (B, N)`` encoded."""
        if feats is not None:
            return feats, feats_lengths
        return self.encoder(speech, speech_lengths)

    def collect_feats(self, **batch) -> dict[str, torch.Tensor]:
        """Nothing to collect: the connector normalises its input itself."""
        return {}
