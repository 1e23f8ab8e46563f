"""The labels that CTC and UnitY2 aligners know: characters, SentencePiece's pieces, LLM tokens.

Label 0 is the blank of CTC and the padding of everything else. A word delimiter (``" "``) stands
between words where the kind of labels has one.
"""

from __future__ import annotations

import base64
import io
import json
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from espnet_ssr.align.abs import AlignError, Levels
from espnet_ssr.align.alignment import Alignment, Span
from espnet_ssr.align.project import split_words, spoken_words
from espnet_ssr.align.vocabulary import spell
from espnet_ssr.datadir import write_lines
from espnet_ssr.pretrained import resolve_model

BLANK = "<blank>"
DELIMITER = " "
WORD_START = "▁"  # in SentencePiece's pieces

Encoded = tuple[list[int], list[tuple[int, int]]]
"""Label ids, and for each the characters ``[begin, end)`` of the text it stands for; a delimiter
stands for none (``begin == end``)."""


class AbsLabels(ABC):
    """A finite set of labels.

    Attributes:
        names: what label ``i`` stands for in a text; ``names[0]`` is the blank.
    """

    kind: str

    def __init__(self, names: Sequence[str]):
        self.names = list(names)

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def encode(self, text: str) -> Encoded:
        """Labels of a transcript; characters that no label stands for are left out."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text that labels spell, its words separated by single spaces."""
        return " ".join("".join(self.names[i] for i in ids).split())

    @abstractmethod
    def conf(self) -> dict:
        """The constructor's arguments, as JSON has them."""

    def save(self, path: Path) -> None:
        """Write what ``load_labels`` reads, whole or not at all."""
        write_lines(path, [json.dumps({"kind": self.kind, "conf": self.conf()})])


class CharLabels(AbsLabels):
    """Characters, with a delimiter between words.

    Args:
        names: blank, delimiter, characters.
        outer_delimiters: a delimiter before the first and after the last word as well, for
            aligners that have no blank to put the silence there.
    """

    kind = "char"

    def __init__(self, names: Sequence[str], outer_delimiters: bool = False):
        super().__init__(names)
        self.outer_delimiters = outer_delimiters
        self._ids = {name: i for i, name in enumerate(self.names)}

    @classmethod
    def build(cls, texts: Iterable[str], outer_delimiters: bool = False) -> CharLabels:
        """The characters that occur in ``texts``."""
        letters = sorted({c for text in texts for c in text if not c.isspace()})
        return cls([BLANK, DELIMITER, *letters], outer_delimiters)

    def encode(self, text: str) -> Encoded:
        delimiter = self._ids[DELIMITER]
        ids, offsets = [], []
        for begin, end in split_words(text):
            known = [(i, self._lookup(text[i])) for i in range(begin, end)]
            known = [(i, label) for i, label in known if label is not None]
            if known and (ids or self.outer_delimiters):
                ids.append(delimiter)
                offsets.append((begin, begin))
            ids += [label for _, label in known]
            offsets += [(i, i + 1) for i, _ in known]
        if ids and self.outer_delimiters:
            ids.append(delimiter)
            offsets.append((len(text), len(text)))
        return ids, offsets

    def _lookup(self, character: str) -> int | None:
        """The label of a character, else that of its lower case, else that without accents."""
        lower = character.lower()
        # What is left of an accent alone is a space, which is no delimiter.
        plain = unicodedata.normalize("NFKD", lower)[:1].strip()
        return next((self._ids[c] for c in (character, lower, plain) if c in self._ids), None)

    def conf(self) -> dict:
        return {"names": self.names, "outer_delimiters": self.outer_delimiters}


class SentencePieceLabels(AbsLabels):
    """Pieces of a unigram model (arXiv 1808.06226) trained on the transcripts.

    Args:
        model: the serialised SentencePiece model in base 64.
    """

    kind = "sentencepiece"

    def __init__(self, model: str):
        from sentencepiece import SentencePieceProcessor

        self._model = model
        self._processor = SentencePieceProcessor(model_proto=base64.b64decode(model))
        size = self._processor.get_piece_size()
        super().__init__([BLANK, *(self._processor.id_to_piece(i) for i in range(1, size))])

    @classmethod
    def build(cls, texts: Iterable[str], vocab_size: int = 200) -> SentencePieceLabels:
        """Train a model of at most ``vocab_size`` pieces."""
        from sentencepiece import SentencePieceTrainer

        model = io.BytesIO()
        SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            model_type="unigram",
            character_coverage=1.0,
            # Else a piece's length would not be that of the characters it stands for.
            normalization_rule_name="identity",
            unk_id=0,  # becomes the blank's place: unknown characters have no label
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
        return cls(base64.b64encode(model.getvalue()).decode())

    def encode(self, text: str) -> Encoded:
        ids, offsets = [], []
        for begin, end in split_words(text):
            # Word by word: what a word becomes does not depend on its neighbours.
            for piece in self._processor.encode(text[begin:end], out_type=str):
                size = len(piece.replace(WORD_START, ""))
                label = self._processor.piece_to_id(piece)
                if label:
                    ids.append(label)
                    offsets.append((begin, begin + size))
                begin += size
        return ids, offsets

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join("".join(self.names[i] for i in ids).replace(WORD_START, " ").split())

    def conf(self) -> dict:
        return {"model": self._model}


class TokenLabels(AbsLabels):
    """Tokens of an LLM that are frequent in the transcripts; others are spelled out by shorter
    ones, so that no word is without labels.

    Args:
        names: blank, then strings; one that begins a word has its space before it.
        llm: whose tokens they are, see ``espnet_ssr.pretrained.resolve_model``.
    """

    kind = "token"

    def __init__(self, names: Sequence[str], llm: str):
        super().__init__(names)
        self.llm = llm
        self._tokenizer = _load_tokenizer(llm)
        self._ids = {name: i for i, name in enumerate(self.names)}

    @classmethod
    def build(cls, texts: Iterable[str], llm: str, min_count: int = 2) -> TokenLabels:
        """Tokens that occur at least ``min_count`` times, and all characters.

        The characters are trained on the tokens that are rarer.
        """
        tokenizer, counts, letters = _load_tokenizer(llm), Counter(), set()
        for text in texts:
            text = f" {text}"
            counts.update(
                text[b:e] for b, e in tokenizer.encode(text, add_special_tokens=False).offsets
            )
            letters |= {c for c in text if not c.isspace()}
        frequent = {name for name, count in counts.items() if count >= min_count and name.strip()}
        return cls([BLANK, *sorted(frequent | letters | {f" {c}" for c in letters})], llm)

    def encode(self, text: str) -> Encoded:
        ids, offsets = [], []
        text, done = f" {text}", 0
        for _, end in self._tokenizer.encode(text, add_special_tokens=False).offsets:
            # A space that is a token of its own goes with the token after it. Byte-level tokens
            # that share a character all have the whole of it: it is spelled once.
            while text[done:end].strip():
                stop = next((e for e in range(end, done, -1) if text[done:e] in self._ids), None)
                if stop is not None:
                    ids.append(self._ids[text[done:stop]])
                    offsets.append((done + text[done].isspace() - 1, stop - 1))
                done = stop or done + 1
        return ids, offsets

    def token_ids(self) -> list[list[int]]:
        """Of each label the LLM's tokens that spell it (see ``vocabulary.spell``), none of the
        blank."""
        return [[], *(spell(name, self._tokenizer) for name in self.names[1:])]

    def conf(self) -> dict:
        return {"names": self.names, "llm": self.llm}


def _load_tokenizer(llm: str):
    """The LLM's tokenizer without transformers."""
    from tokenizers import Tokenizer

    path = Path(resolve_model(llm))
    if path.is_dir():
        return Tokenizer.from_file(str(path / "tokenizer.json"))
    return Tokenizer.from_pretrained(llm)


LABELS: dict[str, type[AbsLabels]] = {
    labels.kind: labels for labels in (CharLabels, SentencePieceLabels, TokenLabels)
}
"""Kind of labels in configs -> class."""


def load_labels(path: Path) -> AbsLabels:
    """Read what ``AbsLabels.save`` wrote."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    return LABELS[content["kind"]](**content["conf"])


def label_alignments(
    utt_id: str,
    text: str,
    offsets: Sequence[tuple[int, int]],
    spans: Sequence[tuple[float, float, float]],
) -> Levels:
    """Words and letters of ``text`` from the times of its labels.

    A letter inside a label of several gets its share of the label's time; one that no label
    stands for gets none (an empty span).

    Args:
        offsets: the characters that each label stands for, see ``Encoded``.
        spans: ``(start, end, score)`` of each label, seconds.

    Raises:
        AlignError: the text has no words, or a word has no label.
    """
    letters = _letter_spans(len(text), offsets, spans)
    words, chars = [], []
    for begin, end in spoken_words(text):
        known = [letters[i] for i in range(begin, end) if letters[i] is not None]
        if not known:
            raise AlignError(
                "unknown_characters", f"the aligner has no label for {text[begin:end]!r}"
            )
        score = sum(s.score for s in known) / len(known)
        words.append(Span(text[begin:end], known[0].start, known[-1].end, score))
        last = known[0].start
        for i in range(begin, end):
            if text[i].isalnum():
                chars.append(letters[i] or Span(text[i], last, last, None))
                chars[-1] = replace(chars[-1], label=text[i])
                last = chars[-1].end
    if not words:
        raise AlignError("empty_text", "the transcript has no words")
    return {"word": Alignment(utt_id, words, "word"), "char": Alignment(utt_id, chars, "char")}


def _letter_spans(size: int, offsets, spans) -> list[Span | None]:
    """The span of every character that a label stands for."""
    letters: list[Span | None] = [None] * size
    for (begin, end), (start, stop, score) in zip(offsets, spans, strict=True):
        step = (stop - start) / max(end - begin, 1)
        for n, i in enumerate(range(begin, end)):
            letters[i] = Span("", start + n * step, start + (n + 1) * step, score)
    return letters
