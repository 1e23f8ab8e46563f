"""Stage 5: LLM tokens of the transcripts and the end of each token's segment."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from espnet_ssr.align.alignment import Alignment, read_ctm
from espnet_ssr.align.project import ProjectError, project_to_tokens
from espnet_ssr.datadir import read_keyed, write_keyed, write_lines
from espnet_ssr.progress import Progress


@dataclass
class Segmentation:
    """Token ids and end times in seconds by utterance, and why others have none."""

    token_id: dict[str, list[int]] = field(default_factory=dict)
    token_end: dict[str, list[float]] = field(default_factory=dict)
    dropped: dict[str, tuple[str, str]] = field(default_factory=dict)

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
        """Write ``token_id`` (ESPnet type text_int), ``token_end`` (text_float), ``dropped``."""
        folder.mkdir(parents=True, exist_ok=True)
        write_keyed(folder / "token_id", {k: _join(v) for k, v in self.token_id.items()})
        ends = {k: " ".join(f"{t:.3f}" for t in v) for k, v in self.token_end.items()}
        write_keyed(folder / "token_end", ends)
        write_lines(folder / "dropped", (f"{k} {c} {m}" for k, (c, m) in self.dropped.items()))


def _join(ids: list[int]) -> str:
    return " ".join(map(str, ids))


def segment_data_dir(
    data_dir: Path,
    align_dir: Path,
    tokenizer: PreTrainedTokenizerBase,
    frame_rate: float,
    sample_rate: int = 16000,
    prefix_space: bool = True,
) -> Segmentation:
    """Tokenize and segment every aligned utterance of a data directory.

    Args:
        data_dir: has ``text`` and ``utt2num_samples``.
        align_dir: has ``word.ctm`` and, for times inside words, ``char.ctm`` or ``phone.ctm``.
        frame_rate: of the features to come; an utterance needs a frame for each token.
        prefix_space: tokenize ``" " + text``, so that the first word has the token that it has
            anywhere else.
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
        text = f" {text}" if prefix_space else text
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        # Encoders differ by a frame at the end of an utterance: count on the fewest.
        frames = math.floor(int(num_samples[utt_id]) / sample_rate * frame_rate) - 1
        if len(ids) > frames:
            result.dropped[utt_id] = ("too_many_tokens", f"{len(ids)} tokens, {frames} frames")
            continue
        try:
            ends = project_to_tokens(text, offsets, words[utt_id], parts.get(utt_id))
        except ProjectError as error:
            result.dropped[utt_id] = ("mismatch", str(error))
        else:
            result.token_id[utt_id], result.token_end[utt_id] = ids, ends
    return result


def _read_parts(align_dir: Path) -> dict[str, Alignment]:
    for level in ("char", "phone"):
        if (align_dir / f"{level}.ctm").is_file():
            return read_ctm(align_dir / f"{level}.ctm", level)
    return {}
