"""UnitY2's aligner ("Seamless", arXiv 2312.05187, section 3.3.2): labels against frames.

Labels and frames are embedded and convolved into one space, a label's score at a frame falls with
their distance, and a hard monotonic search gives every label its frames. It is trained on
transcripts without times (``espnet_ssr.align.forward_sum``), and needs one for alignment too.

There is no blank: silence goes to the word delimiters among the labels. A delimiter needs a frame
even where there is no pause, so one that is shorter than a pause belongs to the word after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from espnet_ssr.align.abs import AbsAligner, AlignError, AlignUtterance, Levels
from espnet_ssr.align.forward_sum import beta_binomial_prior, binarization_loss, forward_sum_loss
from espnet_ssr.align.labels import AbsLabels, label_alignments
from espnet_ssr.align.monotonic import MonotonicSearch
from espnet_ssr.tensors import length_mask

# Log-score of padding. Not -inf, at which the gradient of CTC is NaN.
NEVER = -1e4

# Scores that are held at a time, 64 MiB: an hour of speech has 180,000 frames and 50,000 labels.
BLOCK_CELLS = 2**24


class UnitY2Network(torch.nn.Module):
    """Log-probabilities of labels at frames.

    Args:
        input_size: width ``D`` of a frame.
        num_labels: labels including number 0, the padding.
        hidden_size: width ``H`` of the common space (UnitY2: 1024).
        units: None: frames are layer-normed and projected to ``H``. The path of k-means
            centroids (``espnet_ssr.align.kmeans``): frames are replaced by an embedding of
            their nearest centroid, as in UnitY2. A number: so many centroids, to be loaded.
        temperature: a score is the distance times minus this.
        dropout_rate: after each convolution.
        prior_scale: sharpness of the beta-binomial prior, which training alone uses.
        binarization_weight: of the binarisation loss.
        binarization_start: training steps before which it is left out.
    """

    def __init__(
        self,
        input_size: int,
        num_labels: int,
        hidden_size: int = 128,
        units: str | int | None = None,
        temperature: float = 1.0,
        dropout_rate: float = 0.1,
        prior_scale: float = 1.0,
        binarization_weight: float = 1.0,
        binarization_start: int = 300,
    ):
        super().__init__()
        self.temperature = temperature
        self.prior_scale = prior_scale
        self.binarization_weight = binarization_weight
        self.binarization_start = binarization_start
        self.label_input = torch.nn.Embedding(num_labels, hidden_size)
        self.label_convs = MaskedConvs(hidden_size, (3, 1), dropout_rate)
        if units is None:
            self.frame_input = torch.nn.Sequential(
                torch.nn.LayerNorm(input_size), torch.nn.Linear(input_size, hidden_size)
            )
        else:
            self.frame_input = UnitEmbedding(input_size, units, hidden_size)
        self.frame_convs = MaskedConvs(hidden_size, (3, 3, 1), dropout_rate)
        self.register_buffer("num_steps", torch.zeros((), dtype=torch.long))

    def forward(
        self,
        feats: torch.Tensor,
        feats_lengths: torch.Tensor,
        labels: torch.Tensor,
        label_lengths: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Training losses, scalars: ``loss``, and its parts ``forward_sum`` (a label) and
        ``binarization`` (a frame). Arguments as in ``scores``."""
        lengths = feats_lengths, label_lengths
        scores = self.scores(feats, feats_lengths, labels, label_lengths)
        scores = (scores + beta_binomial_prior(*lengths, self.prior_scale)).clamp(min=NEVER)
        forward_sum = loss = forward_sum_loss(scores, *lengths)
        binarization = binarization_loss(scores, *lengths)
        if self.num_steps >= self.binarization_start:
            loss = forward_sum + self.binarization_weight * binarization
        if self.training:
            self.num_steps += 1
        return {"loss": loss, "forward_sum": forward_sum, "binarization": binarization}

    def scores(
        self,
        feats: torch.Tensor,
        feats_lengths: torch.Tensor,
        labels: torch.Tensor,
        label_lengths: torch.Tensor,
    ) -> torch.Tensor:
        """Log-probabilities ``(B, T, L)`` of the labels at each frame.

        Args:
            feats: frames ``(B, T, D)``; feats_lengths: ``(B,)``.
            labels: label ids ``(B, L)``; label_lengths: ``(B,)``.
        """
        scores = self.compare(*self.embed(feats, feats_lengths, labels, label_lengths))
        padding = ~length_mask(label_lengths, labels.size(1))[:, None]
        return scores.masked_fill(padding, NEVER).log_softmax(dim=-1)

    def embed(
        self,
        feats: torch.Tensor,
        feats_lengths: torch.Tensor,
        labels: torch.Tensor,
        label_lengths: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames ``(B, T, H)`` and labels ``(B, L, H)`` in the common space."""
        frame_mask = length_mask(feats_lengths, feats.size(1))
        label_mask = length_mask(label_lengths, labels.size(1))
        return (
            self.frame_convs(self.frame_input(feats), frame_mask),
            self.label_convs(self.label_input(labels), label_mask),
        )

    def compare(self, frames: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Scores ``(..., T, L)`` of embedded frames and labels, not normalised."""
        # By a matrix product: no tensor T x L x H.
        return -self.temperature * torch.cdist(frames, labels)


class UnitEmbedding(torch.nn.Module):
    """Embeddings of the k-means units of frames: ``(B, T, D)`` -> ``(B, T, H)``."""

    def __init__(self, input_size: int, units: str | int, hidden_size: int):
        super().__init__()
        is_size = isinstance(units, int)
        centroids = np.zeros((units, input_size)) if is_size else np.load(units)
        if centroids.shape[1] != input_size:
            raise ValueError(
                f"{units}: centroids of width {centroids.shape[1]}, but features of {input_size}"
            )
        self.register_buffer("centroids", torch.from_numpy(centroids).float())
        self.embedding = torch.nn.Embedding(len(centroids), hidden_size)

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        return self.embedding(self.quantize(feats))

    def quantize(self, feats: torch.Tensor) -> torch.Tensor:
        """Number of the nearest centroid, ``(B, T)``."""
        half_norm = self.centroids.square().sum(dim=1) / 2
        # In chunks: frames times centroids is much (UnitY2 has 10,000).
        nearest = [
            (half_norm - chunk @ self.centroids.T).argmin(dim=1)
            for chunk in feats.flatten(0, 1).split(4096)
        ]
        return torch.cat(nearest).view(feats.shape[:2])


class MaskedConvs(torch.nn.Module):
    """Convolutions with ReLU between them on a padded batch ``(B, N, H)`` with mask ``(B, N)``."""

    def __init__(self, size: int, kernel_sizes: Sequence[int], dropout_rate: float):
        super().__init__()
        self.convs = torch.nn.ModuleList(
            torch.nn.Conv1d(size, size, kernel_size, padding=kernel_size // 2)
            for kernel_size in kernel_sizes
        )
        self.dropout = torch.nn.Dropout(dropout_rate)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x, mask = x.transpose(1, 2), mask[:, None]
        for i, conv in enumerate(self.convs):
            if i > 0:
                x = x.relu()
            # Each convolution sees zeros after the end, as if there were no padding.
            x = self.dropout(conv(x * mask))
        return x.transpose(1, 2)


class UnitY2Aligner(AbsAligner):
    """Forced alignment with a ``UnitY2Network``: words and characters.

    Args:
        network: trained; it may be on any device.
        labels: what it was trained on, with delimiters around every word.
        frame_rate: frames a second.
        frame_offset: seconds from the start of the audio to that of the first frame. Whisper's
            frames are centred at multiples of 20 ms: -0.01.
        min_pause: seconds; a delimiter that is shorter belongs to the word after it.
    """

    input = "feats"
    levels = ("word", "char")

    def __init__(
        self,
        network: UnitY2Network,
        labels: AbsLabels,
        frame_rate: float,
        frame_offset: float = 0.0,
        min_pause: float = 0.1,
    ):
        self._network = network.eval()
        self._labels = labels
        self._frame_rate = frame_rate
        self._frame_offset = frame_offset
        self._min_pause = min_pause

    @torch.inference_mode()
    def align_batch(self, utterances: Sequence[AlignUtterance]) -> list[Levels | AlignError]:
        """See ``AbsAligner``; ``score`` is the mean log-probability of a label's frames."""
        encoded = [self._labels.encode(u.text) for u in utterances]
        feats, feats_lengths = self._pad([np.asarray(u.signal, np.float32) for u in utterances])
        ids, label_lengths = self._pad([np.array(ids, np.int64) for ids, _ in encoded])
        embedded = self._network.embed(feats, feats_lengths, ids, label_lengths)
        results: list[Levels | AlignError] = []
        for i, (utterance, (_, offsets)) in enumerate(zip(utterances, encoded, strict=True)):
            frames, labels = embedded[0][i, : feats_lengths[i]], embedded[1][i, : label_lengths[i]]
            try:
                spans = self._to_spans(*self._search(frames, labels), offsets) if offsets else []
                results.append(label_alignments(utterance.utt_id, utterance.text, offsets, spans))
            except AlignError as error:
                results.append(error)
        return results

    def _pad(self, rows: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        """One tensor, at least one wide, of rows of any length, and the lengths."""
        size = max(1, *(len(row) for row in rows))
        padded = np.zeros((len(rows), size, *rows[0].shape[1:]), dtype=rows[0].dtype)
        for target, row in zip(padded, rows, strict=True):
            target[: len(row)] = row
        device = self._network.num_steps.device
        lengths = torch.tensor([len(row) for row in rows], device=device)
        return torch.from_numpy(padded).to(device), lengths

    def _search(self, frames: torch.Tensor, labels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Durations (frames) and mean log-probabilities of the labels, each ``(L,)``.

        Args:
            frames: embedded, ``(T, H)``; labels: embedded, ``(L, H)``.
        """
        search = MonotonicSearch(len(frames), len(labels))
        normalizers = []
        for block in frames.split(max(1, BLOCK_CELLS // len(labels))):
            scores = self._network.compare(block, labels)
            normalizers.append(scores.logsumexp(dim=-1))
            # A frame's normaliser is common to all its labels and changes no path.
            search.add(scores.float().cpu().numpy())
        durations = search.durations()
        path = torch.from_numpy(np.repeat(np.arange(len(labels)), durations)).to(labels.device)
        distances = torch.linalg.vector_norm(frames - labels[path], dim=-1)
        log_probs = -self._network.temperature * distances - torch.cat(normalizers)
        starts = np.cumsum(durations) - durations
        return durations, np.add.reduceat(log_probs.double().cpu().numpy(), starts) / durations

    def _to_spans(
        self, durations: np.ndarray, scores: np.ndarray, offsets: Sequence[tuple[int, int]]
    ) -> list[tuple[float, float, float]]:
        """``(start, end, score)`` of each label in seconds; short delimiters are given away."""
        edges = np.concatenate([[0], np.cumsum(durations)]) / self._frame_rate + self._frame_offset
        edges = edges.clip(0, edges[-1] - self._frame_offset)
        starts, ends = edges[:-1].copy(), edges[1:]
        for i in range(1, len(offsets) - 1):
            begin, end = offsets[i]
            if begin == end and ends[i] - starts[i] < self._min_pause:
                starts[i + 1] = starts[i]
        return list(zip(starts.tolist(), ends.tolist(), scores.tolist(), strict=True))
