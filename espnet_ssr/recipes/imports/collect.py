"""What importers collect: utterances with ids that Kaldi's tools accept, whole files or parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.data.check_audio import AudioFault, check_audio
from espnet_ssr.data.validate import TOLERANCE_SECONDS
from espnet_ssr.datadir import Utterance, replaced_dir, write_data_dir, write_keyed
from espnet_ssr.recipes.prepared import Entry, Prepared
from espnet_ssr.text import NUMBER

UNKNOWN_SPEAKER = "unknown"

Checked = tuple[float, AudioFault | None]
"""Seconds of audio, and what is wrong with it."""


class Segment(NamedTuple):
    """A part of a recording, in seconds."""

    recording: str
    start: float
    end: float


def make_utt_id(speaker: str, name: str) -> str:
    """The id of what a speaker says, beginning with the speaker as `clean_speaker` has it."""
    name = re.sub(r"[^\w.-]+", "_", name.replace("/", "-"))
    prefix = f"{clean_speaker(speaker)}-"
    return name if name.startswith(prefix) else prefix + name


def clean_speaker(speaker: str) -> str:
    """A speaker as an id, without ``-`` and what sorts before it.

    ``<speaker>-<name>`` is then sorted by speaker, too, as Kaldi's tools demand: ``a-x`` would
    come after ``a-b-x`` of the speaker ``a-b``.
    """
    return re.sub(r"[^\w.]+", "_", speaker) or UNKNOWN_SPEAKER


def check_file(path: Path) -> Checked:
    """Check an audio file of any rate, and its name."""
    if " ".join(str(path).split()) != str(path):
        # It would be another one when it is read from wav.scp.
        fix = "rename it"
        return 0.0, AudioFault("odd_path", f"more than single spaces: {str(path)!r}; {fix}", fix)
    return check_audio(path, None)


def check_segment(segment: Segment, path: Path, length: float) -> AudioFault | None:
    """What is wrong with a segment of a file of `length` seconds."""
    fix = "correct the times"
    if not 0 <= segment.start < segment.end:
        message = f"{path}: from {segment.start} s to {segment.end} s"
        return AudioFault("bad_segment", message, fix)
    if segment.end > length + TOLERANCE_SECONDS:
        message = f"{path} has {length:.2f} s, the segment ends at {segment.end} s"
        return AudioFault("segment_past_end", message, fix)
    return None


class Imported(Prepared):
    """Utterances of a part of a corpus.

    Attributes:
        segments: of the utterances that are parts of a recording, by id; ``wav`` of their
            utterance is the recording's file.
        num_digits: texts with digits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.segments: dict[str, Segment] = {}
        self.num_digits = 0
        self._checked: dict[Path, Checked] = {}

    def add_file(self, utt_id: str, text: str, path: Path, speaker: str) -> None:
        """Add an utterance that is a whole file, of any rate; beside the causes of `Prepared.add`
        there is ``odd_path``."""
        self._add_if(check_file(path), utt_id, text, path, speaker)

    def add_segment(
        self, utt_id: str, text: str, path: Path, speaker: str, segment: Segment
    ) -> None:
        """Add an utterance that is a part of a file; beside the causes of `add_file` there are
        ``bad_segment`` (no positive length) and ``segment_past_end``."""
        if path not in self._checked:  # long ones have many segments
            self._checked[path] = check_file(path)
        length, fault = self._checked[path]
        checked = segment.end - segment.start, fault or check_segment(segment, path, length)
        if self._add_if(checked, utt_id, text, path, speaker):
            self.segments[utt_id] = segment

    def _add_if(self, checked: Checked, utt_id: str, text: str, path: Path, speaker: str) -> bool:
        """Add an utterance unless something is wrong; whether it was added."""
        before = len(self.utterances)
        self.num_digits += NUMBER.search(text) is not None
        self._add(Entry(utt_id, text, path, clean_speaker(speaker)), *checked)
        return len(self.utterances) > before

    def write_set(self, output_dir: Path, utt_ids: Iterable[str]) -> None:
        """Write a data directory of some of the utterances, replacing what is there, with
        ``segments`` if one of them is a part of a recording."""
        chosen = {utt_id: self.utterances[utt_id] for utt_id in utt_ids}
        with replaced_dir(output_dir) as folder:
            write_data_dir(folder, chosen)
            if self.segments.keys() & chosen.keys():
                self._write_segments(folder, chosen)

    def _write_segments(self, folder: Path, chosen: dict[str, Utterance]) -> None:
        """``segments`` of all utterances, whole files too, and ``wav.scp`` by recording."""
        recordings, lines = {}, {}
        for utt_id, utterance in chosen.items():
            segment = self.segments.get(utt_id, Segment(utt_id, 0.0, utterance.seconds))
            recordings[segment.recording] = utterance.wav
            lines[utt_id] = f"{segment.recording} {segment.start:.3f} {segment.end:.3f}"
        write_keyed(folder / "wav.scp", dict(sorted(recordings.items())))
        write_keyed(folder / "segments", dict(sorted(lines.items())))
