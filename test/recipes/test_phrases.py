"""Natural sentences out of WordNet and fortunes."""

import gzip

import pytest

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.phrases import (
    as_sentence,
    fortune_phrases,
    name_persons,
    natural_phrases,
    read_names,
    wordnet_phrases,
)

LICENCE = "  1 This software and database is being provided to you | no gloss\n"


def write_wordnet(folder, gloss):
    for part in ("adj", "adv", "noun", "verb"):
        lines = LICENCE + (f"00001740 03 n 01 entity 0 000 | {gloss}  \n" if part == "noun" else "")
        (folder / f"data.{part}").write_text(lines + "00001 03 n 01 x 0 000 | so\n")


def test_definitions_and_examples_of_wordnet(tmp_path):
    write_wordnet(tmp_path, '(computer science) a tiny part; a bit; "she has a bit, he said"')
    phrases = list(wordnet_phrases(tmp_path))
    assert phrases == ["so", "so", "she has a bit, he said", "a tiny part", "a bit", "so", "so"]


def test_files_that_are_not_wordnets_are_named(tmp_path):
    with pytest.raises(CorpusError, match=f"{tmp_path / 'data.adj'}: No such file"):
        list(wordnet_phrases(tmp_path))
    (tmp_path / "data.adj").write_text(LICENCE)
    with pytest.raises(CorpusError, match=f"{tmp_path / 'data.adj'}: no definition"):
        list(wordnet_phrases(tmp_path))


def test_sayings_without_who_said_them(tmp_path):
    saying = (
        'A "critic" creates\nnothing. He is\nunbiased.\n\t\t-- Robert Heinlein\n%\nWhy not?\n%\n'
    )
    (tmp_path / "art").write_text(saying)
    (tmp_path / "art.dat").write_bytes(b"\xff")
    found = [phrase for phrase in fortune_phrases(tmp_path) if phrase]
    assert found == ['A "critic" creates nothing.', "He is unbiased.", "Why not?"]


def test_folder_without_fortunes_is_named(tmp_path):
    with pytest.raises(CorpusError, match=f"{tmp_path}: no file of fortunes"):
        list(fortune_phrases(tmp_path))


def test_phrases_become_sentences_once():
    phrases = [
        "a plant of two leaves,",
        "Is it 2 or 3?",
        "A plant: of two leaves",
        "too short",
        "WHY DO YOU SHOUT",
        "it is runtogetherintoonelongwordthatis one",
        "see x^2 for more of this",
        " ".join(["word"] * 19),
    ]
    sentences, dropped = natural_phrases(phrases)
    assert sentences == ["A plant of two leaves.", "Is it two or three?"]
    causes = ("again", "too_short", "capitals", "long_word", "formula", "too_long")
    assert dropped == dict.fromkeys(causes, 1)


@pytest.mark.parametrize(
    ("phrase", "sentence"), [("so it is;", "So it is."), ("Why?", "Why?"), ("well...", "Well...")]
)
def test_capital_and_stop(phrase, sentence):
    assert as_sentence(phrase) == sentence


def test_names_stand_for_some_pronouns(tmp_path):
    path = tmp_path / "names.gz"
    path.write_bytes(gzip.compress(b"Ann\nBob\nha1\n"))
    names = read_names(path)
    assert names == ["Ann", "Bob"]
    sentences = [f"He has {number} cats." for number in "abcdefgh"] + ["The cat sat."]
    named = name_persons(sentences, names)
    assert {sentence.split()[0] for sentence in named} == {"He", "Ann", "Bob", "The"}
    assert [s.split(" ", 1)[1] for s in named] == [s.split(" ", 1)[1] for s in sentences]
    assert named == name_persons(sentences, names)


def test_file_without_names_is_named(tmp_path):
    with pytest.raises(CorpusError, match=f"{tmp_path / 'names'}: "):
        read_names(tmp_path / "names")
    (tmp_path / "names").write_text("1\n")
    with pytest.raises(CorpusError, match="no name in it"):
        read_names(tmp_path / "names")
