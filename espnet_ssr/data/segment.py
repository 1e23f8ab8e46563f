"""Stage 5: LLM tokens of the transcripts and the end of each token's segment."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from espnet_ssr.align.alignment import Alignment, read_ctm
from espnet_ssr.align.project import ProjectError, project_to_tokens, split_words
from espnet_ssr.data.pause import NOTHING, find_cuts, shift_times
from espnet_ssr.datadir import read_keyed, write_keyed, write_lines
from espnet_ssr.llm.tokenizer import tokenize_transcript
from espnet_ssr.progress import Progress


@dataclass(frozen=True)
class SegmentOptions:
    """How transcripts become segments.

    Attributes:
        frame_rate: of the features to come, Hz; an utterance needs a frame for each token.
        sample_rate: of the audio, Hz.
        prefix_space: tokenize ``" " + text``, so that the first word has the token that it has
            anywhere else.
        textless: segment what the aligner guessed instead of the transcripts: ends, no tokens.
        word_segments: textless, one segment a guessed word instead of one for each of its tokens. A
            guess that is misspelt has more tokens than the right word.
        max_token_duration: leave out utterances with a longer token, seconds.
        min_score: leave out utterances whose mean word score is lower, on the aligner's scale.
        max_pause: of longer pauses only so much is kept, seconds; the rest is cut out.
    """

    frame_rate: float
    sample_rate: int = 16000
    prefix_space: bool = True
    textless: bool = False
    word_segments: bool = False
    max_token_duration: float | None = None
    min_score: float | None = None
    max_pause: float | None = None


@dataclass
class Segmentation:
    """Token ids and end times in seconds by utterance, and why others have none; if pauses are
    shortened, what is cut out of each utterance (see ``espnet_ssr.data.pause``)."""

    token_id: dict[str, list[int]] = field(default_factory=dict)
    token_end: dict[str, list[float]] = field(default_factory=dict)
    dropped: dict[str, tuple[str, str]] = field(default_factory=dict)
    pause: dict[str, list[float]] = field(default_factory=dict)

    def durations(self) -> list[float]:
        """Seconds of every segment."""
        return [
            end - start
            for ends in self.token_end.values()
            for start, end in zip([0.0, *ends], ends, strict=False)
        ]

    def summary(self) -> dict:
        """Counts for the report."""
        durations = self.durations()
        return {
            "utterances": len(self.token_id) + len(self.dropped),
            "segmented": len(self.token_id),
            "dropped": dict(Counter(cause for cause, _ in self.dropped.values())),
            "tokens": len(durations),
            "distinct_tokens": len({t for ids in self.token_id.values() for t in ids}),
            "hours": sum(durations) / 3600,
            "tokens_per_second": len(durations) / max(sum(durations), 1e-9),
        }

    def write(self, folder: Path) -> None:
        """Write ``token_id`` (ESPnet type text_int; not if textless), ``token_end`` (text_float),
        ``dropped``."""
        folder.mkdir(parents=True, exist_ok=True)
        if any(self.token_id.values()):
            write_keyed(folder / "token_id", {k: _join(v) for k, v in self.token_id.items()})
        ends = {k: " ".join(f"{t:.3f}" for t in v) for k, v in self.token_end.items()}
        write_keyed(folder / "token_end", ends)
        if self.pause:
            cuts = {k: " ".join(f"{t:.3f}" for t in v) for k, v in self.pause.items()}
            write_keyed(folder / "pause", cuts)
        else:
            (folder / "pause").unlink(missing_ok=True)  # of a former run
        write_lines(folder / "dropped", (f"{k} {c} {m}" for k, (c, m) in self.dropped.items()))


def _join(ids: list[int]) -> str:
    return " ".join(map(str, ids))


class DropUtterance(Exception):
    """An utterance cannot be segmented, or is not wanted: cause and message."""


def segment_data_dir(
    data_dir: Path, align_dir: Path, tokenizer: PreTrainedTokenizerBase, options: SegmentOptions
) -> Segmentation:
    """Tokenize and segment every aligned utterance of a data directory.

    Args:
        data_dir: has ``text`` and ``utt2num_samples``.
        align_dir: has ``word.ctm`` and, for times inside words, ``char.ctm`` or ``phone.ctm``.
    """
    words = read_ctm(align_dir / "word.ctm", "word")
    parts = _read_parts(align_dir)
    num_samples = read_keyed(data_dir / "utt2num_samples")
    texts = read_keyed(data_dir / "text")
    result, progress = Segmentation(), Progress(len(texts), "segmenting")
    for utt_id, text in texts.items():
        progress.update()
        if utt_id not in words:
            result.dropped[utt_id] = ("not_aligned", f"see {align_dir / 'failed'}")
            continue
        if options.textless:
            text = " ".join(span.label for span in words[utt_id].spans)
        seconds = int(num_samples[utt_id]) / options.sample_rate
        cuts = NOTHING
        if options.max_pause is not None:
            cuts = find_cuts(words[utt_id].spans, seconds, options.max_pause)
        try:
            ids, ends = _segment(
                text, seconds, cuts, words[utt_id], parts.get(utt_id), tokenizer, options
            )
        except DropUtterance as error:
            result.dropped[utt_id] = error.args
            continue
        result.token_id[utt_id], result.token_end[utt_id] = ids, ends
        if options.max_pause is not None:
            result.pause[utt_id] = cuts
    return result


def _segment(
    text: str,
    seconds: float,
    cuts: list[float],
    words: Alignment,
    parts: Alignment | None,
    tokenizer: PreTrainedTokenizerBase,
    options: SegmentOptions,
) -> tuple[list[int], list[float]]:
    """Token ids (none if textless) and end times of one utterance, which is judged by what the
    cuts leave of it."""
    _check_score(words, options.min_score)
    text, encoded = tokenize_transcript(text, tokenizer, options.prefix_space)
    ids = [] if options.textless else encoded["input_ids"]
    offsets = split_words(text) if options.word_segments else encoded["offset_mapping"]
    # Encoders differ by a frame at the end of an utterance: count on the fewest.
    (kept,) = shift_times(np.array([seconds]), np.array(cuts))
    frames = math.floor(kept * options.frame_rate) - 1
    if len(offsets) > frames:
        raise DropUtterance("too_many_tokens", f"{len(offsets)} tokens, {frames} frames")
    try:
        ends = project_to_tokens(text, offsets, words, parts, seconds)
    except ProjectError as error:
        raise DropUtterance("mismatch", str(error)) from None
    longest = np.diff(shift_times(np.array(ends), np.array(cuts)), prepend=0.0).max()
    if options.max_token_duration is not None and longest > options.max_token_duration:
        raise DropUtterance("long_token", f"{longest:.2f} s")
    return ids, ends


def _check_score(words: Alignment, min_score: float | None) -> None:
    scores = [span.score for span in words.spans if span.score is not None]
    if min_score is None or not scores:
        return
    mean = sum(scores) / len(scores)
    if mean < min_score:
        raise DropUtterance("low_score", f"mean word score {mean:.3f}")


def _read_parts(align_dir: Path) -> dict[str, Alignment]:
    for level in ("char", "phone"):
        if (align_dir / f"{level}.ctm").is_file():
            return read_ctm(align_dir / f"{level}.ctm", level)
    return {}
