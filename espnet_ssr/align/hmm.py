"""Pretrained HMM aligner: PocketSphinx's US English triphone model and CMU dictionary.

It needs no training and no GPU; words that the dictionary lacks are handled by
``espnet_ssr.align.pronounce`` and reported in ``out_of_vocabulary``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pocketsphinx

from espnet_ssr.align.abs import AbsAligner, AlignError
from espnet_ssr.align.alignment import Alignment, Span
from espnet_ssr.align.pronounce import plain_word, pronounce

FRAME_SECONDS = 0.01

# (seconds, amplitude of 32768) of the faint noise put before and after the speech, tried in turn.
# The model starts and ends in silence and PocketSphinx gives up when that silence is not among the
# survivors of the very last frame: unpadded, 19 of 551 Asterisk prompts had no path, with the
# first padding 8, after all attempts 1. Digital silence is unlike any that it was trained on.
PADDINGS = ((0.25, 4), (0.1, 4), (0.25, 1), (0.0, 0), (0.1, 16))


class HMMAligner(AbsAligner):
    """Forced alignment by PocketSphinx: words and phones."""

    sample_rate = 16000
    levels = ("word", "phone")

    def __init__(self):
        # cmn="batch": mean normalisation over the utterance. The result must not depend on what
        # was aligned before it, or jobs of different sizes would disagree.
        self._decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL", cmn="batch")
        self.out_of_vocabulary: dict[str, str] = {}
        """Words that were not in the dictionary: ``{word: "rule: phones"}``."""

    def align(self, utt_id: str, speech: np.ndarray, text: str) -> dict[str, Alignment]:
        """See ``AbsAligner.align``; ``score`` is the acoustic log-likelihood a frame, in
        PocketSphinx's units (higher is better)."""
        labels = [w for w in text.split() if any(c.isalnum() for c in w)]
        if not labels:
            raise AlignError("empty_text", "the transcript has no words")
        words = [plain_word(label) for label in labels]
        for word in dict.fromkeys(words):
            self._add_to_dictionary(word)
        samples = (np.clip(speech, -1.0, 1.0) * 32767).astype("<i2")
        for seconds, amplitude in PADDINGS:
            entries = self._search(words, _pad(samples, seconds, amplitude, self.sample_rate))
            if entries is not None:
                to_span = partial(_to_span, pad=seconds, duration=len(speech) / self.sample_rate)
                return _to_alignments(utt_id, labels, entries, to_span)
        raise AlignError(
            "no_path",
            f"no path through the {len(labels)} words in {len(speech) / self.sample_rate:.2f} s: "
            "the transcript may be wrong or longer than the audio",
        )

    def _search(self, words: list[str], samples: bytes) -> list | None:
        """Word entries of the best path with silence left out, None when no path survives."""
        decoder = self._decoder
        try:
            decoder.set_align_text(" ".join(words))
            self._decode(samples)
            if decoder.hyp() is None:
                return None
            # Second pass: the first one tracks words only.
            decoder.set_alignment()
            self._decode(samples)
            entries = [_freeze(entry) for entry in decoder.get_alignment()]
        except RuntimeError:  # PocketSphinx's "final state not reached" on either pass
            return None
        entries = [e for e in entries if not e[0].startswith(("<", "[", "+"))]
        return entries if len(entries) == len(words) else None

    def _add_to_dictionary(self, word: str) -> None:
        if word in self.out_of_vocabulary:
            return
        found = pronounce(word, self._lookup)
        if found is None or not found[0]:
            raise AlignError("unpronounceable", "a word has no letter or digit of English")
        phones, rule = found
        if rule != "dictionary":
            self._decoder.add_word(word, phones, True)
            self.out_of_vocabulary[word] = f"{rule}: {phones}"

    def _lookup(self, word: str) -> str | None:
        """Phones in the original dictionary: what was added depends on earlier utterances."""
        return None if word in self.out_of_vocabulary else self._decoder.lookup_word(word)

    def _decode(self, samples: bytes) -> None:
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(samples, full_utt=True)
        finally:
            self._decoder.end_utt()


def _pad(samples: np.ndarray, seconds: float, amplitude: int, sample_rate: int) -> bytes:
    noise = np.random.default_rng(0)
    size = round(seconds * sample_rate)
    pads = noise.integers(-amplitude, amplitude + 1, (2, size)).astype("<i2")
    return np.concatenate([pads[0], samples, pads[1]]).tobytes()


def _to_span(
    label: str, start: int, frames: int, score: int, *, pad: float, duration: float
) -> Span:
    """Span in seconds of the unpadded audio from frames of the padded one."""
    begin = start * FRAME_SECONDS - pad
    end = begin + frames * FRAME_SECONDS
    return Span(
        label,
        min(max(begin, 0.0), duration),
        min(max(end, 0.0), duration),
        score / max(frames, 1),
    )


def _to_alignments(
    utt_id: str, labels: list[str], entries: list, to_span: Callable[..., Span]
) -> dict[str, Alignment]:
    words = [to_span(label, *entry[1:4]) for label, entry in zip(labels, entries, strict=True)]
    phones = [to_span(*phone) for entry in entries for phone in entry[4]]
    return {
        "word": Alignment(utt_id, words, "word"),
        "phone": Alignment(utt_id, phones, "phone"),
    }


def _freeze(entry) -> tuple:
    """Copy an alignment entry: PocketSphinx frees it with the next utterance."""
    phones = [(p.name, p.start, p.duration, p.score) for p in entry]
    return entry.name, entry.start, entry.duration, entry.score, phones
