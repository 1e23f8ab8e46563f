"""From audio to vectors and segments, in batches of windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from espnet_ssr.align.abs import AlignUtterance
from espnet_ssr.align.project import spoken_words
from espnet_ssr.batching import length_buckets
from espnet_ssr.connector.heads import HullHead, Posteriors
from espnet_ssr.data.pause import NOTHING, cut_pauses, find_cuts
from espnet_ssr.encoder.abs import AbsEncoder
from espnet_ssr.encoder.dump import encode_batch
from espnet_ssr.model.speech import SpeechModel
from espnet_ssr.speech_lm.audio import Speech, find_windows, load_speech
from espnet_ssr.speech_lm.segments import Segmenter, Segments, join_segments

BATCH_SECONDS = 60.0  # of padded audio


class Heard(NamedTuple):
    """Vectors ``(N, H)`` of an utterance, float32 on the CPU, and what it was cut into; no segments
    where the connector needs none and there is no text. Posteriors of each vector if they were
    asked for, on the CPU."""

    vectors: torch.Tensor
    segments: Segments
    posteriors: Posteriors | None = None


class _Window(NamedTuple):
    name: str
    utterance: int
    start: float  # seconds
    samples: np.ndarray
    text: str | None


class Listener:
    """Hears utterances of any length.

    Without a transcript an utterance is heard in windows of at most 30 s that know nothing of each
    other, so that memory grows with samples and vectors alone. With one it is aligned whole, if
    the aligner can; encoders and aligners cut what is long into windows themselves.

    Args:
        model: has the connector.
        encoder: of the connector's features.
        segmenter: cuts utterances, see there.
        aligner_encoder: of the features that the aligner takes; None: the same.
        max_pause: the connector does not hear more than so many seconds of a pause; None: all. Then
            connectors that need no segments need an aligner, too.
    """

    def __init__(
        self,
        model: SpeechModel,
        encoder: AbsEncoder,
        segmenter: Segmenter,
        aligner_encoder: AbsEncoder | None = None,
        max_pause: float | None = None,
    ):
        self.model = model
        self._encoder = encoder
        self._segmenter = segmenter
        self._aligner_encoder = aligner_encoder
        self._max_pause = max_pause
        self._needs_aligner = model.connector.needs_segmentation or max_pause is not None

    @property
    def _device(self) -> str:
        return str(self.model.connector.device)

    def segment(self, speeches: Sequence[Speech]) -> list[Segments]:
        """Segments of each utterance.

        Raises:
            ValueError: names the utterance and what is wrong with it.
        """
        return [join_segments(parts) for parts in self._work(speeches, self._segment_batch, True)]

    def hear(self, speeches: Sequence[Speech], nbest: int | None = None) -> list[Heard]:
        """Vectors of each utterance.

        Args:
            nbest: with posteriors of so many tokens.

        Raises:
            ValueError: names the utterance and what is wrong with it; or posteriors are asked for
                and the connector's head has none.
        """
        if nbest is not None:
            self._check_nbest(nbest)
        work = partial(self._hear_batch, nbest=nbest)
        return [_join(parts) for parts in self._work(speeches, work, self._needs_aligner)]

    def _check_nbest(self, nbest: int) -> None:
        if nbest < 1:
            raise ValueError(f"nbest must be at least 1, not {nbest}")
        if not isinstance(self.model.connector.output, HullHead):
            raise ValueError(
                "nbest: this connector has a linear head, which has no posteriors (a hull head "
                "has); lm.nearest(lm.embed(...)) gives the nearest token of each vector"
            )

    def _work(
        self, speeches: Sequence[Speech], work: Callable[[list[_Window]], list], aligned: bool
    ) -> list[list[tuple[float, Any]]]:
        """What ``work`` makes of each utterance's windows, with their starts in seconds.

        Args:
            aligned: it takes an aligner.
        """
        windows = {w.name: w for n, speech in enumerate(speeches) for w in self._windows(n, speech)}
        if aligned:
            for window in windows.values():
                self._segmenter.check(window.name, window.text)
        lengths = {name: len(window.samples) for name, window in windows.items()}
        found = {}
        for names in length_buckets(lengths, int(BATCH_SECONDS * self._encoder.sample_rate)):
            results = work([windows[name] for name in names])
            found.update(zip(names, results, strict=True))
        parts: list[list[tuple[float, Any]]] = [[] for _ in speeches]
        for name, window in windows.items():
            parts[window.utterance].append((window.start, found[name]))
        return parts

    def _windows(self, utterance: int, speech: Speech) -> list[_Window]:
        name, rate = f"speech[{utterance}]", self._encoder.sample_rate
        samples = load_speech(speech, name, rate)
        if speech.text is not None:
            if not spoken_words(speech.text):
                raise ValueError(f"{name}: the transcript {speech.text!r} has no words")
            return [_Window(name, utterance, 0.0, samples, speech.text)]
        return [
            _Window(f"{name} from {b / rate:.2f} s", utterance, b / rate, samples[b:e], None)
            for b, e in find_windows(samples, rate)
        ]

    def _segment_batch(
        self, batch: list[_Window], feats: dict[str, np.ndarray] | None = None
    ) -> list[Segments]:
        """``feats``: of the connector's encoder, if they are there already."""
        signals = {w.name: w.samples for w in batch}
        if self._segmenter.aligner.input == "feats":
            if self._aligner_encoder is not None:
                signals = encode_batch(self._aligner_encoder, signals, self._device)
            else:
                signals = feats or encode_batch(self._encoder, signals, self._device)
        return self._segmenter.segment(
            [AlignUtterance(w.name, signals[w.name], w.text) for w in batch],
            [len(w.samples) / self._encoder.sample_rate for w in batch],
        )

    def _hear_batch(self, batch: list[_Window], nbest: int | None) -> list[Heard]:
        feats = encode_batch(self._encoder, {w.name: w.samples for w in batch}, self._device)
        aligned = [Segments()] * len(batch)
        if self._needs_aligner:
            aligned = self._segment_batch(batch, feats)
        segments = [self._for_connector(w, s) for w, s in zip(batch, aligned, strict=True)]
        ends = [s.token_end for s in segments]
        if self._max_pause is not None:
            feats, ends = self._shorten_pauses(batch, aligned, feats, ends)
        return [
            self._connect(w.name, feats[w.name], s, end, nbest)
            for w, s, end in zip(batch, segments, ends, strict=True)
        ]

    def _for_connector(self, window: _Window, aligned: Segments) -> Segments:
        """What the connector may know of a window."""
        connector = self.model.connector
        if connector.needs_segmentation:
            return aligned
        return self._segmenter.tokens(window.text) if connector.token_aligned else Segments()

    def _shorten_pauses(
        self,
        batch: list[_Window],
        aligned: list[Segments],
        feats: dict[str, np.ndarray],
        ends: list[tuple[float, ...]],
    ) -> tuple[dict[str, np.ndarray], list[tuple[float, ...]]]:
        """Features without what is too long of pauses, and where segments then end; as in training,
        cut out of the audio if that was encoded on the fly."""
        rates = self._encoder.frame_rate, self._encoder.sample_rate
        whole = feats
        if self.model.encoder is not None:
            whole = {w.name: w.samples for w in batch}
        kind = "feats" if whole is feats else "speech"
        cut = {}
        for window, segments, end in zip(batch, aligned, ends, strict=True):
            seconds = len(window.samples) / self._encoder.sample_rate
            # Where no word is heard, all is one pause, of which nothing would be left.
            words = segments.words
            pauses = find_cuts(words, seconds, self._max_pause) if words else NOTHING
            example = {kind: whole[window.name], "token_end": np.array(end)}
            cut[window.name] = cut_pauses({**example, "pause": np.array(pauses)}, *rates)
        shortened = {name: example[kind] for name, example in cut.items()}
        if kind == "speech":
            shortened = encode_batch(self._encoder, shortened, self._device)
        return shortened, [tuple(example["token_end"].tolist()) for example in cut.values()]

    @torch.no_grad()
    def _connect(
        self,
        name: str,
        feats: np.ndarray,
        segments: Segments,
        token_end: Sequence[float],
        nbest: int | None,
    ) -> Heard:
        """Vectors ``(N, H)`` of features ``(T, D)``: one a segment; one a token where only tokens
        are known; else as many as the connector likes.

        Args:
            token_end: where segments end in these features.
        """
        connector = self.model.connector
        tokens = max(len(token_end), len(segments.token_id))
        if tokens > len(feats):
            raise ValueError(
                f"{name}: {tokens} tokens in {len(feats)} frames; is it another one's text?"
            )
        told = tokens or connector.needs_segmentation
        output = self.model.connect(
            torch.tensor([token_end], device=self._device),
            torch.tensor([tokens], device=self._device) if told else None,
            feats=torch.from_numpy(feats)[None].to(self._device),
            feats_lengths=torch.tensor([len(feats)], device=self._device),
        )
        vectors = output.embeds[0, : int(output.lengths)].float().cpu()
        if nbest is None:
            return Heard(vectors, segments)
        posteriors = connector.output.posteriors(output.states, nbest)
        return Heard(vectors, segments, Posteriors(*(part.cpu() for part in posteriors)))


def _join(parts: list[tuple[float, Heard]]) -> Heard:
    """What windows, each with its start in seconds, are as a whole."""
    heard = [part for _, part in parts]
    posteriors = None
    if all(part.posteriors is not None for part in heard):
        posteriors = Posteriors(*map(torch.cat, zip(*(h.posteriors for h in heard), strict=True)))
    segments = join_segments((start, part.segments) for start, part in parts)
    return Heard(torch.cat([part.vectors for part in heard]), segments, posteriors)
