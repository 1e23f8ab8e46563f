"""speechocean762 (OpenSLR 101, CC BY 4.0): 5000 English sentences of 250 Mandarin speakers, 16 kHz.

Half of the speakers are children; five experts scored the pronunciation of each sentence, word and
phone (``resource/scores.json``). ``train`` and ``test``, of 125 speakers each, are Kaldi data
directories whose ``wav.scp`` has paths from the corpus's folder:
``WAVE/SPEAKER0001/000010011.WAV``.
"""

from __future__ import annotations

from pathlib import Path

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.order import by_hash
from espnet_ssr.recipes.prepared import Entry, Prepared, fault_of_line

SAMPLE_RATE = 16000
TABLES = ("wav.scp", "text", "utt2spk")


def find_corpus(corpus_dir: Path) -> Path:
    """The folder of ``train``, ``test`` and ``WAVE``: `corpus_dir` or speechocean762 in it.

    Raises:
        CorpusError: it is not there.
    """
    for folder in (corpus_dir / "speechocean762", corpus_dir):
        if all((folder / name).is_dir() for name in ("train", "test", "WAVE")):
            return folder
    raise CorpusError(
        f"{corpus_dir}: no folders train, test and WAVE in it or in its folder speechocean762"
    )


def read_table(path: Path, prepared: Prepared) -> dict[str, str]:
    """Read lines of a key and its value, with a space or a tab between them.

    Lines that are none are left out as ``bad_line`` or ``bad_utf8``, keys that are there already as
    ``duplicate_utterance``.

    Raises:
        CorpusError: there is no such file.
    """
    if not path.is_file():
        raise CorpusError(f"{path}: no such file")
    table: dict[str, str] = {}
    for number, raw in enumerate(path.read_bytes().splitlines(), 1):
        line = raw.decode("utf-8", errors="replace")
        key, value = (*line.split(maxsplit=1), "", "")[:2]
        if cause := fault_of_line(line, bool(value), key, table):
            prepared.drop(f"{path.name}:{number}", cause, f"{path}:{number}: {line!r}")
        else:
            table[key] = value.strip()
    return table


def read_part(folder: Path, part: str, nj: int) -> Prepared:
    """Utterances of ``train`` or ``test``; one that a table lacks is left out as ``no_wav``,
    ``no_text`` or ``no_utt2spk``.

    Raises:
        CorpusError: a table is missing.
    """
    prepared = Prepared()
    tables = {name: read_table(folder / part / name, prepared) for name in TABLES}
    entries = []
    for utt_id in sorted(set().union(*tables.values())):
        missing = [name for name, table in tables.items() if utt_id not in table]
        if missing:
            details = f"no line in {folder / part / missing[0]}"
            prepared.drop(utt_id, f"no_{missing[0].removesuffix('.scp')}", details)
            continue
        wav, text, speaker = (table[utt_id] for table in tables.values())
        entries.append(Entry(utt_id, text, folder / wav, speaker))
    prepared.add_all(entries, SAMPLE_RATE, nj, f"read {part}")
    return prepared


def prepare_speechocean762(corpus_dir: Path, data_dir: Path, nj: int = 1) -> dict[str, Prepared]:
    """Write ``data_dir/{train,valid,test}``, each with ``dropped``.

    A tenth of the speakers of train is taken for valid (12), by a hash of their names. Causes of
    what is left out are those of `read_table`, `read_part` and `Prepared.add`; of the corpus's
    train all are in the set train.

    Args:
        corpus_dir: speechocean762, or the folder that it is in.
        data_dir: folder for the data directories; those there are replaced.
        nj: files that are read at once.

    Raises:
        CorpusError: `corpus_dir` does not hold the corpus, or nothing of a set can be used.
    """
    folder = find_corpus(corpus_dir)
    sets = {"train": read_part(folder, "train", nj), "valid": Prepared()}
    train, valid = sets["train"].utterances, sets["valid"].utterances
    speakers = by_hash({utterance.speaker for utterance in train.values()})
    chosen = frozenset(speakers[: max(1, len(speakers) // 10)])
    for utt_id in [u for u, utterance in train.items() if utterance.speaker in chosen]:
        valid[utt_id] = train.pop(utt_id)
    sets["test"] = read_part(folder, "test", nj)
    for name, prepared in sets.items():
        prepared.write(data_dir / name, folder / ("test" if name == "test" else "train"))
    return sets
