"""The import command: what its options do, and what is refused."""

import sys

import pytest
from mini_corpora import write_wav_txt
from sounds import write_tone

from espnet_ssr.bin import import_corpus, split_text
from espnet_ssr.datadir import read_keyed


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs the command in a folder of the test."""
    monkeypatch.chdir(tmp_path)

    def run(*words, main=import_corpus.main):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, words)])
        main()

    return run


def sizes(folder):
    found = {path.parent.name: len(read_keyed(path)) for path in folder.glob("data/*/text")}
    return dict(sorted(found.items()))


def test_sets_are_taken_from_a_folder(run, tmp_path, capsys):
    write_wav_txt(tmp_path / "corpus")
    run("wav_txt", "corpus", "--valid", "0.2")
    assert sizes(tmp_path) == {"test": 1, "train": 7, "valid": 2}
    assert capsys.readouterr().out.startswith("data/train: 7 utterances, 2 speakers")


def test_one_set(run, tmp_path):
    write_wav_txt(tmp_path / "corpus")
    run("wav_txt", "corpus", "--set", "eval", "--speaker", "none")
    assert sizes(tmp_path) == {"eval": 10}
    assert list(read_keyed(tmp_path / "data/eval/spk2utt")) == ["unknown"]


def test_table_with_parts(run, tmp_path, capsys):
    for part in ("train", "test"):
        for number in range(3):
            write_tone(tmp_path / "corpus" / part / f"{number}.wav")
        rows = [f"{number}.wav,{text}" for number, text in enumerate(["well", "good", "fine"])]
        (tmp_path / "corpus" / part / "metadata.csv").write_text(
            "\n".join(["file_name,text", *rows]) + "\n"
        )
    run("audiofolder", "corpus")
    assert sizes(tmp_path) == {"test": 3, "train": 2, "valid": 1}
    with pytest.raises(SystemExit):
        run("audiofolder", "corpus", "--set", "all")
    assert "--set all: the corpus has parts of its own: train, test" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["wav_txt", "corpus", "--valid", "1"], "--valid is a share, from 0 to less than 1"),
        (["wav_txt", "my", "corpus"], "unrecognized arguments: corpus"),
        (["wav", "corpus"], "invalid choice: 'wav'"),
        ([], "required: FORMAT"),
    ],
)
def test_what_is_refused(run, words, message, capsys):
    with pytest.raises(SystemExit):
        run(*words)
    assert message in capsys.readouterr().err


def test_prose_is_split(run, tmp_path, capsys):
    days = " ".join(f"Day number {number} was a good one." for number in range(10, 70))
    (tmp_path / "book.txt").write_text(days + " Yes.\n")
    run("book.txt", "text", "--prose", main=split_text.main)
    lines = [line for path in (tmp_path / "text").iterdir() for line in path.open()]
    assert "Day number ten was a good one.\n" in lines
    assert len(lines) == 60
    assert "60 sentences, left out 1: 1 too_short" in capsys.readouterr().out
