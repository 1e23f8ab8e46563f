"""Pretrained HMM aligner: PocketSphinx's US English triphone model and CMU dictionary.

It needs no training and no GPU; words that the dictionary lacks are handled by
``espnet_ssr.align.pronounce`` and reported in ``out_of_vocabulary``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pocketsphinx

from espnet_ssr.align.abs import AbsAligner, AlignError, AlignUtterance, Levels, align_each
from espnet_ssr.align.alignment import Alignment, Span
from espnet_ssr.align.pronounce import plain_word, pronounce

FRAME_SECONDS = 0.01
# PocketSphinx keeps about 95 bytes for each frame and word: 3 GiB, or six minutes of speech.
MOST_CELLS = 2**25
# The three states of a phone each take a frame or more.
MINIMAL_FRAMES = 3
# Share of such phones against score: neither alone tells right transcripts from wrong ones as well.
MINIMAL_WEIGHT = 60.0


class Match(NamedTuple):
    """How well audio and transcript go together.

    Attributes:
        score: mean over the frames of all phones, pauses left out; in PocketSphinx's units, which
            fall by about 3 with a beam of 0.
        minimal: share of the phones that last ``MINIMAL_FRAMES``.
    """

    score: float
    minimal: float

    @property
    def total(self) -> float:
        """What right and wrong transcripts are told apart by."""
        return self.score - MINIMAL_WEIGHT * self.minimal


def measure_match(phones: Alignment) -> Match:
    """Judge the phones that ``HMMAligner`` found, at least one."""
    frames = np.array([round((span.end - span.start) / FRAME_SECONDS) for span in phones.spans])
    scores = np.array([span.score for span in phones.spans])
    # A last phone beyond the end of the audio may have no frame left.
    score = np.average(scores, weights=np.maximum(frames, 1))
    return Match(float(score), float(np.mean(frames <= MINIMAL_FRAMES)))


class HMMAligner(AbsAligner):
    """Forced alignment by PocketSphinx: words and phones.

    Where pruning leaves no path to the last word, the search is repeated with ``retry_beam``. That
    finds a path for wrong transcripts too, so every alignment is then judged by ``measure_match``
    and refused as ``poor_match`` below ``min_match``, which ``bench/hmm_beams.py`` calibrates.

    Args:
        beam: paths below this share of the best path's likelihood are pruned, in every frame; 0:
            none is, which takes three times the memory, and time that grows with the words.
        retry_beam: the same when ``beam`` has left no path; equal to ``beam``: no second try.
        silprob: probability of a pause between two words.
        min_match: ``Match.total`` that an alignment must reach; -inf: all are accepted.

    Raises:
        ValueError: an option is out of its range.
    """

    sample_rate = 16000
    levels = ("word", "phone")

    def __init__(
        self,
        beam: float = 1e-100,
        retry_beam: float = 1e-300,
        silprob: float = 0.5,
        min_match: float = -80.0,
    ):
        # float: YAML reads 1e-100, which has no dot, as text.
        self.beam, self.retry_beam, silprob = float(beam), float(retry_beam), float(silprob)
        self.min_match = float(min_match)
        if not 0 <= self.retry_beam <= self.beam < 1:
            raise ValueError(f"0 <= retry_beam <= beam < 1 is violated by {retry_beam}, {beam}")
        if not 0 < silprob <= 1:
            raise ValueError(f"silprob must be above 0 and at most 1, not {silprob}")
        # cmn="batch": mean normalisation over the utterance. bestpath=False: the Viterbi path is
        # the alignment; a search of its word lattice, on by default, lets words swallow pauses.
        self._decoder = pocketsphinx.Decoder(
            lm=None, loglevel="FATAL", cmn="batch", bestpath=False, silprob=silprob
        )
        self.out_of_vocabulary: dict[str, str] = {}
        """Words that were not in the dictionary: ``{word: "rule: phones"}``."""
        self.retried: set[str] = set()
        """Utterances that were searched with ``retry_beam`` too."""

    def align_batch(self, utterances: Sequence[AlignUtterance]) -> list[Levels | AlignError]:
        """See ``AbsAligner``; ``score`` is the acoustic log-likelihood a frame, in
        PocketSphinx's units (higher is better)."""
        return align_each(self.align, utterances)

    def align(self, utterance: AlignUtterance) -> Levels:
        """Align one utterance; raises ``AlignError``."""
        utt_id, speech, text = utterance
        labels = [w for w in text.split() if any(c.isalnum() for c in w)]
        if not labels:
            raise AlignError("empty_text", "the transcript has no words")
        if len(speech) == 0:
            raise AlignError("empty_audio", "the audio has no samples")
        duration = len(speech) / self.sample_rate
        if duration / FRAME_SECONDS * len(labels) > MOST_CELLS:
            raise AlignError(
                "too_long",
                f"{duration:.0f} s with {len(labels)} words: memory grows with their product; cut "
                "the recording into utterances (data/<set>/segments), or align it with a CTC "
                "aligner (--aligner char_ctc), which takes hours",
            )
        words = [plain_word(label) for label in labels]
        for word in dict.fromkeys(words):
            self._add_to_dictionary(word)
        samples = (np.clip(speech, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        entries = self._search(words, samples, self.beam)
        if entries is None and self.retry_beam < self.beam:
            self.retried.add(utt_id)
            entries = self._search(words, samples, self.retry_beam)
        if entries is None:
            raise AlignError(
                "no_path",
                f"no path through the {len(labels)} words in {duration:.2f} s: "
                "the transcript may be wrong or longer than the audio",
            )
        found = _to_alignments(utt_id, labels, entries, partial(_to_span, duration=duration))
        match = measure_match(found["phone"])
        if match.total < self.min_match:
            raise AlignError(
                "poor_match",
                f"{match.total:.1f}, less than {self.min_match:g} (mean score {match.score:.1f} a "
                f"frame, {100 * match.minimal:.0f} % of the phones as short as can be): the "
                "transcript may be wrong; if it is right, lower min_match in --aligner_conf",
            )
        return found

    def _search(self, words: list[str], samples: bytes, beam: float) -> list | None:
        """Word entries of the best path with silence left out, None when no path survives."""
        decoder = self._decoder
        for name in ("beam", "pbeam", "wbeam"):  # read by set_align_text
            decoder.config[name] = beam
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
        if found is None:
            raise AlignError("unpronounceable", "a word has no letter or digit of English")
        phones, rule = found
        if rule != "dictionary":
            self._decoder.add_word(word, phones, True)
            self.out_of_vocabulary[word] = f"{rule}: {phones}"

    def _lookup(self, word: str) -> str | None:
        """Phones in the original dictionary: what was added depends on earlier utterances."""
        return None if word in self.out_of_vocabulary else self._decoder.lookup_word(word)

    def _decode(self, samples: bytes) -> None:
        # The front end keeps state from utterance to utterance even so. The result must not depend
        # on what was aligned before it, or jobs of different sizes would disagree.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(samples, full_utt=True)
        finally:
            self._decoder.end_utt()


def _to_span(label: str, start: int, frames: int, score: int, *, duration: float) -> Span:
    """Span in seconds from frames; the last frame may reach beyond the audio."""
    begin, end = start * FRAME_SECONDS, (start + frames) * FRAME_SECONDS
    return Span(label, min(begin, duration), min(end, duration), score / max(frames, 1))


def _to_alignments(
    utt_id: str, labels: list[str], entries: list, to_span: Callable[..., Span]
) -> Levels:
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
