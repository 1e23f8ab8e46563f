"""Texts with fields of a record in braces, some of which are spoken."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from string import Formatter

from espnet_ssr.evaluate.choice.item import Part, Parts
from espnet_ssr.evaluate.choice.readers.record import Record


@dataclass(frozen=True)
class Template:
    """``Question: {question}``.

    Attributes:
        pieces: text and the field after it, if there is one.
    """

    pieces: tuple[tuple[str, str | None], ...]

    @staticmethod
    def parse(text: str) -> Template:
        """Raises:
        ValueError: a brace is not closed, or there is more than a name in it.
        """
        pieces = []
        for literal, field, form, conversion in Formatter().parse(text):
            if field is not None and (not field.isidentifier() or form or conversion):
                raise ValueError(f"{text!r}: braces should have the name of a field in them")
            pieces.append((literal, field))
        return Template(tuple(pieces))

    @property
    def fields(self) -> list[str]:
        return [field for _, field in self.pieces if field is not None]

    def parts(self, record: Record, spoken: Collection[str] = ()) -> Parts:
        """Filled in; fields in ``spoken`` are spoken."""
        parts = []
        for literal, field in self.pieces:
            parts.append(Part(literal))
            if field is not None:
                said = field in spoken
                audio = record.audio.get(field) if said else None
                parts.append(Part(record.fields[field], said, audio))
        return join_parts(parts)

    def text(self, record: Record) -> str:
        """Filled in."""
        return "".join(
            literal + (record.fields[field] if field else "") for literal, field in self.pieces
        )


def join_parts(parts: Iterable[Part]) -> Parts:
    """One part for texts that follow each other, none for empty ones. A space between a text and
    speech goes to the speech, whose first word then has the tokens that it has in a transcript."""
    joined: list[Part] = []
    for part in parts:
        if not part.text:
            continue
        before = joined.pop().text if joined and not joined[-1].spoken else ""
        if not part.spoken:
            joined.append(Part(before + part.text))
            continue
        if before.endswith(" ") and not part.text.startswith(" "):
            before, part = before[:-1], part._replace(text=f" {part.text}")
        joined += [Part(before), part] if before else [part]
    return tuple(joined)
