"""StoryCloze (Mostafazadeh et al., NAACL 2016): which of two sentences ends a story of four; as
text, and in the spoken forms sSC (the same endings) and tSC (the wrong one is that of another
story) of TWIST (Hassid et al., NeurIPS 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from espnet_ssr.evaluate.choice.readers.files import NOT_UTF8, find_files, is_unicode, read_table
from espnet_ssr.evaluate.choice.readers.record import Record, Skipped

SENTENCES = tuple(f"InputSentence{n}" for n in range(1, 5))
ENDINGS = ("RandomFifthSentenceQuiz1", "RandomFifthSentenceQuiz2")
PARTS = {"context": "mutual", "right": "correct", "wrong": "incorrect"}


def read_storycloze(path: Path, skipped: Skipped) -> Iterator[Record]:
    """Fields ``context``, ``right`` and ``wrong``.

    Args:
        path: csv file of the validation set of 2016 or 2018 or of the test set of 2016 (that of
            2018 has no answers); or a folder of spoken stories, each in six files
            ``<story>_{mutual,correct,incorrect}.{wav,txt}``, in it or in a folder of it for each
            voice.

    Raises:
        ValueError: a csv file of other columns, or a folder without such files.
    """
    return _read_folder(path, skipped) if path.is_dir() else _read_csv(path, skipped)


def read_topic_storycloze(path: Path, skipped: Skipped) -> Iterator[Record]:
    """Like ``read_storycloze``, but stories of a csv file get the right ending of another story as
    the wrong one, that of the story half the file away."""
    if path.is_dir():
        yield from _read_folder(path, skipped)
        return
    records = list(_read_csv(path, skipped))
    for n, record in enumerate(records):
        other = records[(n + (len(records) + 1) // 2) % len(records)]
        yield record._replace(fields={**record.fields, "wrong": other.fields["right"]})


def _read_csv(path: Path, skipped: Skipped) -> Iterator[Record]:
    columns = ("InputStoryid", *SENTENCES, *ENDINGS, "AnswerRightEnding")
    (file,) = find_files(path, "*.csv")
    for where, row in read_table(file, skipped, columns):
        answer = row["AnswerRightEnding"]
        if answer not in ("1", "2"):
            skipped.add(where, "AnswerRightEnding is neither 1 nor 2", repr(answer))
            continue
        if not all(row[name] for name in SENTENCES):
            skipped.add(where, "empty sentence")
            continue
        first, second = (row[name] for name in ENDINGS)
        right, wrong = (first, second) if answer == "1" else (second, first)
        context = " ".join(row[name] for name in SENTENCES)
        fields = {"context": context, "right": right, "wrong": wrong}
        yield Record(row["InputStoryid"], fields, where)


def _read_folder(path: Path, skipped: Skipped) -> Iterator[Record]:
    files = [file for part in PARTS.values() for file in path.rglob(f"*_{part}.*")]
    stories = sorted({file.with_name(file.name.rpartition("_")[0]) for file in files})
    if not stories:
        raise ValueError(
            f"{path}: no <story>_mutual.txt, <story>_mutual.wav, <story>_correct.txt and so on in "
            "it; without the texts of contexts and endings stories cannot be read"
        )
    for story in stories:
        record = _read_story(story, str(story.relative_to(path)), skipped)
        if record:
            yield record


def _read_story(story: Path, record_id: str, skipped: Skipped) -> Record | None:
    """Args:
    story: what the names of its files begin with.
    """
    audio, fields = {}, {}
    for field, part in PARTS.items():
        speech, text = (story.with_name(f"{story.name}_{part}.{kind}") for kind in ("wav", "txt"))
        for kind, file in (("audio", speech), ("text", text)):
            if not file.is_file():
                skipped.add(str(file), f"{kind} is missing")
                return None
        fields[field] = text.read_text(encoding="utf-8-sig", errors="surrogateescape").strip()
        audio[field] = str(speech)
        if not is_unicode(fields[field]):
            skipped.add(str(text), NOT_UTF8)
            return None
    return Record(record_id, fields, str(story), audio)
