"""CTC as an aligner: forced alignment of a transcript, or of what the network itself hears.

A network gives log-probabilities of labels and blank to frames. Forced: the best path through the
transcript's labels (``viterbi``). Textless: the labels that are most likely frame by frame spell a
guess, which is aligned like a transcript.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from espnet_ssr.align.abs import AbsAligner, AlignError, AlignUtterance, Levels
from espnet_ssr.align.labels import AbsLabels, label_alignments
from espnet_ssr.align.project import spoken_words
from espnet_ssr.align.viterbi import CTCPath, viterbi_align
from espnet_ssr.windows import Windows, encode_in_batches

# Seconds, found on the Asterisk prompts against the Montreal Forced Aligner.
LEAD = 0.05  # a word's first label fires so long after its onset
MIN_PAUSE = 0.15  # shorter gaps between words are no pauses

# Attention is quadratic, and networks are trained on utterances: longer recordings are heard in
# windows, some at a time.
WINDOW_SECONDS = 30.0
CONTEXT_SECONDS = 2.0
WINDOWS_A_BATCH = 4

Posteriors = Callable[[Sequence[np.ndarray]], tuple[torch.Tensor, torch.Tensor]]
"""Signals to log-probabilities ``(B, T, V)`` and lengths ``(B,)`` in frames."""


class CTCAligner(AbsAligner):
    """Aligns with any model that gives CTC log-probabilities.

    Args:
        posteriors: the model.
        labels: what its columns stand for.
        frame_rate: frames a second.
        frame_offset: seconds from the start of the audio to that of the first frame.
        input: what the model takes, ``feats`` or ``speech``.
    """

    levels = ("word", "char")
    textless = True

    def __init__(
        self,
        posteriors: Posteriors,
        labels: AbsLabels,
        frame_rate: float,
        frame_offset: float = 0.0,
        input: str = "feats",
    ):
        self.input = input
        self.posteriors = posteriors
        self.labels = labels
        self._frame_rate = frame_rate
        self._frame_offset = frame_offset

    def align_batch(self, utterances: Sequence[AlignUtterance]) -> list[Levels | AlignError]:
        """See ``AbsAligner``; ``score`` is the mean log-probability of a label's frames."""
        log_probs, lengths = self.posteriors([u.signal for u in utterances])
        texts = [
            self.labels.decode(greedy_labels(x[:n])) if u.text is None else u.text
            for u, x, n in zip(utterances, log_probs, lengths.tolist(), strict=True)
        ]
        encoded = [self.labels.encode(text) for text in texts]
        paths = viterbi_align(log_probs, lengths, *_pad([ids for ids, _ in encoded]))
        return [
            self._to_alignments(u, text, offsets, path)
            for u, text, (_, offsets), path in zip(utterances, texts, encoded, paths, strict=True)
        ]

    def _to_alignments(self, utterance, text, offsets, path) -> Levels | AlignError:
        if utterance.text is None and not spoken_words(text):
            return AlignError("no_speech", "the network hears no words")
        if isinstance(path, AlignError):
            return path
        spans = label_times(path, offsets, text, self._frame_rate, self._frame_offset)
        try:
            return label_alignments(utterance.utt_id, text, offsets, spans)
        except AlignError as error:
            return error


def posterior_windows(frame_rate: float, hop: int = 1, overhang: int = 0) -> Windows:
    """How a network's signals are cut; see ``Windows``."""
    length, context = (round(s * frame_rate) for s in (WINDOW_SECONDS, CONTEXT_SECONDS))
    return Windows(length, context, hop, overhang)


def windowed_posteriors(
    network: Callable[[Sequence[np.ndarray]], list[torch.Tensor]],
    windows: Windows,
    signals: Sequence[np.ndarray],
    num_frames: Sequence[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """What ``Posteriors`` gives, of a network that gives log-probabilities ``(T, V)`` of each
    signal; signals that are longer than a window are heard in windows.

    Args:
        num_frames: ``T`` of each signal.
    """
    if max(num_frames) > windows.length:
        batch_size = WINDOWS_A_BATCH * windows.length * windows.hop
        log_probs = windows.encode(
            lambda parts: encode_in_batches(network, parts, batch_size), signals, num_frames
        )
    else:
        log_probs = network(signals)
    padded = torch.nn.utils.rnn.pad_sequence(log_probs, batch_first=True)
    return padded, torch.tensor(num_frames, device=padded.device)


def greedy_labels(log_probs: torch.Tensor, blank: int = 0) -> list[int]:
    """The most likely label of every frame ``(T, V)``, repetitions and blanks left out."""
    best = log_probs.argmax(dim=-1)
    return [label for label in torch.unique_consecutive(best).tolist() if label != blank]


def _pad(rows: Sequence[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Padded labels ``(B, L)`` and their lengths ``(B,)``."""
    lengths = np.array([len(row) for row in rows])
    padded = np.zeros((len(rows), max(lengths.max(), 1)), dtype=np.int64)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return padded, lengths


def label_times(
    path: CTCPath,
    offsets: Sequence[tuple[int, int]],
    text: str,
    frame_rate: float,
    frame_offset: float,
) -> list[tuple[float, float, float]]:
    """When labels sound, from when they fire: ``(start, end, score)``, seconds.

    CTC fires a label somewhere in its sound and is silent in between. Letters of a word touch in
    the middle of the blanks between them. A word ends with the last frame of its last label, and
    begins where the one before ends, unless there is a pause.
    """
    # The first frames may begin before the audio.
    start = (path.start / frame_rate + frame_offset).clip(min=0)
    end = (path.end / frame_rate + frame_offset).clip(min=0)
    before = None  # the last label that is no delimiter
    for j, (begin, stop) in enumerate(offsets):
        if begin == stop:
            continue
        onset = start[j] - LEAD
        if before is not None:
            if not any(c.isspace() for c in text[offsets[before][1] : begin]):
                end[before] = (end[before] + start[j]) / 2
                onset = end[before]
            elif start[j] - end[before] < MIN_PAUSE:
                onset = end[before]
            else:
                onset = max(end[before], onset)
        start[j] = max(onset, 0.0)
        end[j] = max(end[j], start[j])
        before = j
    return list(zip(start.tolist(), end.tolist(), path.scores.tolist(), strict=True))
