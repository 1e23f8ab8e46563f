"""What the preparation of a corpus collects for one set, and how it is written."""

from __future__ import annotations

from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.data.check_audio import AudioFault, check_audio
from espnet_ssr.datadir import Utterance, count_dropped, write_data_dir, write_keyed
from espnet_ssr.progress import Progress
from espnet_ssr.recipes import CorpusError
from espnet_ssr.text import normalize_text

FILES_AT_ONCE = 500  # handed to the threads: an interrupt waits for no more


def fault_of_line(line: str, is_wellformed: bool, key: str, known: Container[str]) -> str:
    """Why a line of a table of texts is left out, in a word; ``""`` if it is not.

    Args:
        line: decoded with ``errors="replace"``.
        is_wellformed: it is what the table's lines should be.
        key: what it is about; known: keys of the lines before it.
    """
    if "\N{REPLACEMENT CHARACTER}" in line:
        return "bad_utf8"
    if not is_wellformed:
        return "bad_line"
    return "duplicate_utterance" if key in known else ""


class Entry(NamedTuple):
    """What a corpus says of an utterance: ``text`` as it has it, and where the audio should be."""

    utt_id: str
    text: str
    path: Path
    speaker: str


class Prepared:
    """Utterances of a set by id, and what was left out.

    Attributes:
        utterances: by id.
        dropped: causes, one word each, with details, by what names it best: utterance or line.
    """

    def __init__(self) -> None:
        self.utterances: dict[str, Utterance] = {}
        self.dropped: dict[str, tuple[str, str]] = {}

    def drop(self, key: str, cause: str, details: object) -> None:
        """Leave something out."""
        self.dropped[key] = (cause, str(details))

    def add(
        self, utt_id: str, text: str, path: Path, speaker: str, sample_rate: int | None
    ) -> None:
        """Add an utterance, or note what is wrong with it: ``duplicate_utterance``,
        ``empty_text``, or a cause of ``check_audio``.

        Args:
            text: as the corpus has it; it is normalised to lower-case words.
            sample_rate: of the corpus, in Hz; None: any.
        """
        self._add(Entry(utt_id, text, path, speaker), *check_audio(path, sample_rate))

    def add_all(
        self, entries: Sequence[Entry], sample_rate: int | None, nj: int, description: str
    ) -> None:
        """`add` many in their order, with ``nj`` files read at once, and show progress.

        Threads are enough: decoding does not hold Python's lock.
        """
        progress = Progress(len(entries), description)
        with ThreadPoolExecutor(nj) as pool:
            for start in range(0, len(entries), FILES_AT_ONCE):
                some = entries[start : start + FILES_AT_ONCE]
                checks = pool.map(lambda entry: check_audio(entry.path, sample_rate), some)
                for entry, (seconds, fault) in zip(some, checks, strict=True):
                    self._add(entry, seconds, fault)
                    progress.update()

    def _add(self, entry: Entry, seconds: float, fault: AudioFault | None) -> None:
        words = normalize_text(entry.text)
        if entry.utt_id in self.utterances:
            # A key of its own, or it would look as if the first one were left out.
            self.drop(f"{entry.utt_id}(again)", "duplicate_utterance", entry.path)
        elif not words:
            self.drop(entry.utt_id, "empty_text", repr(entry.text))
        elif fault:
            self.drop(entry.utt_id, fault.cause, fault.message)
        else:
            wav = str(entry.path.absolute())
            self.utterances[entry.utt_id] = Utterance(wav, words, entry.speaker, seconds)

    def write(self, output_dir: Path, source: Path) -> None:
        """Write a Kaldi data directory, replacing what is there, with ``dropped`` beside its
        tables: ``utterance cause details``.

        Args:
            source: what to name if there is nothing to write.

        Raises:
            CorpusError: nothing can be used.
        """
        if not self.utterances:
            causes = count_dropped(cause for cause, _ in self.dropped.values())
            raise CorpusError(f"{source}: no utterance can be used; {causes}")
        write_data_dir(output_dir, self.utterances)
        lines = {key: " ".join(self.dropped[key]) for key in sorted(self.dropped)}
        write_keyed(output_dir / "dropped", lines)

    def describe(self) -> str:
        """Counts and duration, for people."""
        utterances = self.utterances.values()
        hours = sum(utterance.seconds for utterance in utterances) / 3600
        speakers = {utterance.speaker for utterance in utterances}
        return (
            f"{len(utterances)} utterances, {len(speakers)} speakers, {hours:.2f} hours, "
            f"{count_dropped(cause for cause, _ in self.dropped.values())}"
        )
