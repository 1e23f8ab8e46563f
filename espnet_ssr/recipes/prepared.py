"""What the preparation of a corpus collects for one set, and how it is written."""

from __future__ import annotations

from pathlib import Path

from espnet_ssr.data.check_audio import check_audio
from espnet_ssr.datadir import Utterance, count_dropped, write_data_dir, write_keyed
from espnet_ssr.recipes import CorpusError
from espnet_ssr.text import normalize_text


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
        words = normalize_text(text)
        if utt_id in self.utterances:
            # A key of its own, or it would look as if the first one were left out.
            self.drop(f"{utt_id}(again)", "duplicate_utterance", path)
        elif not words:
            self.drop(utt_id, "empty_text", repr(text))
        else:
            seconds, fault = check_audio(path, sample_rate)
            if fault:
                self.drop(utt_id, fault.cause, fault.message)
            else:
                self.utterances[utt_id] = Utterance(str(path.absolute()), words, speaker, seconds)

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
