"""Alignments that another program made: a folder of TextGrids or of MFA's JSON, or a CTM file.

The words of the transcript are found again in those of the alignment by their letters: case,
punctuation, apostrophes and where a word is split ("re-entered", "re entered", "waldo 's") do
not matter. What an aligner writes for a word it does not know stands for any one word. Everything
else that differs is a mismatch: the alignment is of another text.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.align.abs import AlignError, Levels
from espnet_ssr.align.alignment import Alignment, Span, read_ctm, write_ctm
from espnet_ssr.align.run import FAILED, OUT_OF_VOCABULARY
from espnet_ssr.align.textgrid import READERS, is_silence
from espnet_ssr.datadir import read_keyed, write_lines

UNKNOWN_PHONE = "spn"
"""The one phone that MFA gives to a word that is not in its dictionary."""

_ANY_WORD = re.compile(r"<.*>|\[.*\]|spn", re.IGNORECASE)


class Matched(NamedTuple):
    """An alignment with the words of the transcript, and those that its aligner did not know."""

    levels: Levels
    unknown: list[str]


def align_given(data_dir: Path, given: Path, output_dir: Path) -> str:
    """Write the alignment folder of a data directory from alignments that are there.

    Args:
        data_dir: Kaldi data directory; its ``text`` says which utterances and words are wanted.
        given: see ``open_given``.

    Returns:
        A line that says what was found.

    Raises:
        ValueError: nothing was found for any utterance, or two files for one.
    """
    texts = read_keyed(data_dir / "text")
    source = open_given(given)
    results = {utt_id: match_given(source, utt_id, text) for utt_id, text in texts.items()}
    if all(isinstance(r, AlignError) and r.cause == "missing" for r in results.values()):
        wanted = next(iter(texts), "any utterance: there is none")
        raise ValueError(f"--given: nothing for {data_dir} in {source}; wanted e.g. {wanted}")
    return write_align_dir(output_dir, results)


def open_given(given: Path) -> GivenFolder | GivenCTM:
    """Open a folder (see ``GivenFolder``), or a CTM file of words with ``phone.ctm`` beside it."""
    if given.is_dir():
        return GivenFolder(given)
    if given.is_file():
        return GivenCTM(given)
    raise ValueError(f"--given: no such file or folder: {given}")


class GivenFolder:
    """TextGrids or MFA's JSON files at any depth below a folder.

    The file of an utterance is ``<utterance>.TextGrid``, or ``<speaker>/<rest>.TextGrid`` where
    ``<speaker>-<rest>`` or ``<speaker>_<rest>`` is the utterance.

    Args:
        names: names of the files, without their ending, of utterances whose files are named
            otherwise.
    """

    def __init__(self, folder: Path, names: Mapping[str, str] | None = None):
        self._folder = folder
        self._names = names or {}
        self._files: dict[str, list[Path]] = {}
        for path in _alignment_files(folder):
            speaker = path.parent.name
            for name in (path.stem, f"{speaker}-{path.stem}", f"{speaker}_{path.stem}"):
                self._files.setdefault(name, []).append(path)

    def __str__(self) -> str:
        example = next((str(paths[0]) for paths in self._files.values()), "none")
        return f"the TextGrid and JSON files below {self._folder} (e.g. {example})"

    def read(self, utt_id: str) -> Levels:
        """The alignments of an utterance; raises ``AlignError`` (``missing``, ``unreadable``)."""
        paths = self._files.get(self._names.get(utt_id, utt_id), [])
        if not paths:
            raise AlignError("missing", f"no TextGrid or JSON file below {self._folder}")
        if len(paths) > 1:
            raise ValueError(f"{utt_id}: both {paths[0]} and {paths[1]} may be its alignment")
        try:
            return READERS[paths[0].suffix.lower()](paths[0], utt_id)
        except (ValueError, OSError) as error:
            raise AlignError("unreadable", str(error)) from None


def _alignment_files(folder: Path) -> Iterator[Path]:
    for root, _, names in sorted(os.walk(folder, followlinks=True)):
        for name in sorted(names):
            path = Path(root, name)
            if path.suffix.lower() in READERS:
                yield path


class GivenCTM:
    """A CTM file of words, and ``phone.ctm`` beside it if there is one."""

    def __init__(self, path: Path):
        self._path = path
        phones = path.with_name("phone.ctm")
        self._levels = {"word": read_ctm(path, "word")}
        if phones.is_file() and phones != path:
            self._levels["phone"] = read_ctm(phones, "phone")

    def __str__(self) -> str:
        return f"{self._path} (e.g. {next(iter(self._levels['word']), 'no utterance')})"

    def read(self, utt_id: str) -> Levels:
        """The alignments of an utterance; raises ``AlignError`` (``missing``)."""
        if utt_id not in self._levels["word"]:
            raise AlignError("missing", f"not in {self._path}")
        return {
            level: Alignment(utt_id, [s for s in a[utt_id].spans if not is_silence(s.label)], level)
            for level, a in self._levels.items()
            if utt_id in a
        }


def match_given(source: GivenFolder | GivenCTM, utt_id: str, text: str) -> Matched | AlignError:
    """What ``source`` has for an utterance, with the words of ``text``; or why there is nothing."""
    try:
        return match_words(text, source.read(utt_id))
    except AlignError as error:
        return error


def match_words(text: str, levels: Levels) -> Matched:
    """Give the words of an alignment the labels of the transcript; other levels stay.

    Raises:
        AlignError: ``empty_text``, ``mismatch`` (says where they diverge first).
    """
    words = [word for word in text.split() if _letters(word)]
    if not words:
        raise AlignError("empty_text", "the transcript has no words")
    given = [s for s in levels["word"].spans if _letters(s.label) or _is_any_word(s)]
    phones = levels["phone"].spans if "phone" in levels else []
    unknown_times = {(p.start, p.end) for p in phones if p.label.lower() == UNKNOWN_PHONE}
    spans: list[Span] = []
    unknown: list[str] = []
    for some_words, some_spans in _group(words, given):
        spans += _share_time(some_words, some_spans)
        if any(_is_any_word(s) or (s.start, s.end) in unknown_times for s in some_spans):
            unknown += some_words
    words_level = Alignment(levels["word"].utt_id, spans, "word")
    return Matched({**levels, "word": words_level}, unknown)


def _letters(label: str) -> str:
    """Letters and digits, none exactly where ``label`` has none."""
    kept = "".join(c for c in unicodedata.normalize("NFC", label) if c.isalnum())
    return unicodedata.normalize("NFKC", kept).casefold()


def _is_any_word(span: Span) -> bool:
    return _ANY_WORD.fullmatch(span.label) is not None


def _group(
    words: Sequence[str], spans: Sequence[Span]
) -> Iterator[tuple[Sequence[str], Sequence[Span]]]:
    """Cut words and spans into the smallest groups that have the same letters."""
    i = j = 0
    while i < len(words) and j < len(spans):
        first_word, first_span = i, j
        left, right = _letters(words[i]), _letters(spans[j].label)
        i, j = i + 1, j + 1
        if _is_any_word(spans[first_span]):
            right = left
        while left != right:
            if left.startswith(right) and j < len(spans):
                right += _letters(spans[j].label)
                j += 1
            elif right.startswith(left) and i < len(words):
                left += _letters(words[i])
                i += 1
            else:
                raise _mismatch(words, spans, first_word, first_span)
        yield words[first_word:i], spans[first_span:j]
    if i < len(words) or j < len(spans):
        raise _mismatch(words, spans, i, j)


def _mismatch(words: Sequence[str], spans: Sequence[Span], i: int, j: int) -> AlignError:
    found = repr(spans[j].label) if j < len(spans) else "nothing more"
    wanted = repr(words[i]) if i < len(words) else "nothing more"
    return AlignError(
        "mismatch", f"word {i + 1}: the transcript has {wanted}, the alignment {found}"
    )


def _share_time(words: Sequence[str], spans: Sequence[Span]) -> list[Span]:
    """Times of ``words`` from ``spans`` with the same letters, of which each has an equal share."""
    if len(words) == 1:
        score = spans[0].score if len(spans) == 1 else None
        return [Span(words[0], spans[0].start, spans[-1].end, score)]
    starts: list[float] = []
    ends: list[float] = []
    for span in spans:
        letters = len(_letters(span.label))
        edges = [span.start + n / letters * (span.end - span.start) for n in range(letters)]
        starts += edges
        ends += [*edges[1:], span.end]
    shared, letter = [], 0
    for word in words:
        last = letter + len(_letters(word)) - 1
        shared.append(Span(word, starts[letter], ends[last]))
        letter = last + 1
    return shared


def write_align_dir(output_dir: Path, results: Mapping[str, Matched | AlignError]) -> str:
    """Write ``word.ctm``, ``phone.ctm`` (if there are phones), ``failed``, ``out_of_vocabulary``.

    Returns:
        A line with the counts.
    """
    matched = [r for r in results.values() if isinstance(r, Matched)]
    failed = {utt_id: r for utt_id, r in results.items() if isinstance(r, AlignError)}
    unknown = sorted({word for result in matched for word in result.unknown})
    output_dir.mkdir(parents=True, exist_ok=True)
    write_ctm(output_dir / "word.ctm", (r.levels["word"] for r in matched))
    phones = [r.levels["phone"] for r in matched if "phone" in r.levels]
    if phones:
        write_ctm(output_dir / "phone.ctm", phones)
    else:
        (output_dir / "phone.ctm").unlink(missing_ok=True)
    lines = (f"{utt_id} {e.cause} {' '.join(str(e).split())}" for utt_id, e in failed.items())
    write_lines(output_dir / FAILED, lines)
    write_lines(output_dir / OUT_OF_VOCABULARY, (f"{word} {UNKNOWN_PHONE}" for word in unknown))
    causes = Counter(error.cause for error in failed.values())
    return (
        f"{output_dir}: aligned {len(matched)} of {len(results)} utterances, {len(unknown)} words "
        f"out of vocabulary" + "".join(f", {n} {cause}" for cause, n in sorted(causes.items()))
    )
