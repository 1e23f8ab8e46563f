"""Columns of tables as others name them."""

from __future__ import annotations

from collections.abc import Iterable

from espnet_ssr.recipes import CorpusError

TEXT = ("text", "sentence", "transcription", "transcript", "normalized_text", "raw_text")
SPEAKER = ("speaker_id", "speaker", "client_id", "spk", "user_id")


def choose_column(columns: Iterable[str], wanted: str | None, usual: Iterable[str]) -> str | None:
    """The column that is `wanted`, or else the first of the `usual` ones that is there, if any.

    Raises:
        CorpusError: `wanted` is not there.
    """
    columns = list(columns)
    if wanted is not None:
        if wanted not in columns:
            raise CorpusError(f"no column {wanted}, only: {', '.join(columns)}")
        return wanted
    return next((name for name in usual if name in columns), None)


def need_text_column(columns: Iterable[str], wanted: str | None) -> str:
    """The column of the transcripts.

    Raises:
        CorpusError: it is not there, or not among the usual ones and none is `wanted`.
    """
    columns = list(columns)
    name = choose_column(columns, wanted, TEXT)
    if name is None:
        raise CorpusError(f"which column is the text? Give --text_column: {', '.join(columns)}")
    return name


def set_name(part: str) -> str:
    """What sets of recipes are called, of the names of parts."""
    return "valid" if part in ("validation", "val", "dev") else part
