"""Which sentences are for training, validation and test; the command and its errors."""

import json
import subprocess
import sys

import pytest

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.text_sets import (
    Wanted,
    describe,
    make_report,
    plain_words,
    select_text_sets,
)

WORDS = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay"]
IDS = {word: number for number, word in enumerate(WORDS)}
SPELLINGS = {number: f" {word}" for word, number in IDS.items()}
SENTENCES = [f"{a} {b} {c}" for a in WORDS for b in WORDS for c in WORDS if a < b]
WANTED = Wanted(hours=0, train=20, valid=5, test=6, held_out=0)


def tokenize(texts):
    return [[IDS[word] for word in text.split()] for text in texts]


def test_no_sentence_or_held_out_word_is_in_two_sets():
    sets = select_text_sets(SENTENCES, tokenize, SPELLINGS, WANTED, held_out_words=["Cat"])
    train, valid, test = (set(sets.sentences[name]) for name in ("train", "valid", "test"))
    assert (len(train), len(valid), len(test)) == (20, 5, 6)
    assert not train & valid and not train & test and not valid & test
    assert not any("cat" in sentence for sentence in train | valid)
    assert sum("cat" in sentence for sentence in test) == 3
    assert sets.held_out == {"Cat": [2]}
    assert 2 not in sets.training


def test_order_of_the_text_does_not_matter():
    first = select_text_sets(SENTENCES, tokenize, SPELLINGS, WANTED)
    assert select_text_sets(SENTENCES[::-1], tokenize, SPELLINGS, WANTED) == first


def test_hours_are_those_of_the_sentences():
    wanted = WANTED._replace(hours=0.01, train=None)
    report = make_report(select_text_sets(SENTENCES, tokenize, SPELLINGS, wanted), tokenize, {})
    assert report["estimated_hours"]["train"] == pytest.approx(0.01, abs=0.001)


def test_real_speech_counts_as_chosen():
    sets = select_text_sets(SENTENCES, tokenize, SPELLINGS, WANTED, real=["ant ant", "bee"])
    words = " ".join(sets.sentences["train"]).split()
    assert sets.training[0] == words.count("ant") + 2
    with pytest.raises(CorpusError, match="ant: cannot be held out: real training speech has it"):
        select_text_sets(SENTENCES, tokenize, SPELLINGS, WANTED, ["ant"], held_out_words=["ant"])


@pytest.mark.parametrize(
    ("wanted", "words", "message"),
    [
        (WANTED._replace(train=5000), None, "too little text: .* of 5000 sentences for train"),
        (WANTED._replace(hours=50, train=None), None, "too little text: all "),
        (WANTED, ["emu"], "emu: cannot be held out: it is no token"),
    ],
)
def test_what_cannot_be_chosen_is_said(wanted, words, message):
    with pytest.raises(CorpusError, match=message):
        select_text_sets(SENTENCES, tokenize, SPELLINGS, wanted, held_out_words=words)


def test_a_word_held_out_is_not_in_training_in_pieces_either():
    def pieces(texts):  # words with a capital are no tokens
        return [
            [token for word in text.split() for token in ([IDS[word]] if word in IDS else [99, 98])]
            for text in texts
        ]

    sentences = [sentence.capitalize() for sentence in SENTENCES]
    sets = select_text_sets(sentences, pieces, SPELLINGS, WANTED, held_out_words=["Cat"])
    with_word = {n: sum("cat" in plain_words(s) for s in of) for n, of in sets.sentences.items()}
    assert with_word["train"] == with_word["valid"] == 0 < with_word["test"]
    with pytest.raises(CorpusError, match="cat: cannot be held out: real training speech has it"):
        select_text_sets(sentences, pieces, SPELLINGS, WANTED, ["Cat dog"], held_out_words=["cat"])


def test_report_tells_the_coverage_of_texts():
    sets = select_text_sets(SENTENCES, tokenize, SPELLINGS, WANTED, held_out_words=["cat"])
    report = make_report(sets, tokenize, {"other": ["cat dog", "cat"]})
    assert report["coverage"]["other"]["shares"]["0"] == pytest.approx(2 / 3)
    assert "other: 3 tokens, 2 types, of which training has 50.0%" in describe(report)
    assert json.loads(json.dumps(report)) == report


@pytest.fixture
def tokenizer(tmp_path):
    """Folder of a byte-level tokenizer of a few words."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    made = ByteLevelBPETokenizer()
    made.train_from_iterator([f" {word}" for word in WORDS], min_frequency=1, show_progress=False)
    PreTrainedTokenizerFast(tokenizer_object=made._tokenizer).save_pretrained(tmp_path / "llm")
    (tmp_path / "llm" / "config.json").write_text('{"model_type": "llama"}')
    return tmp_path / "llm"


def run(text, folder, llm, *options):
    command = [sys.executable, "-m", "espnet_ssr.bin.select_text", text, "--output_dir", folder]
    command += ["--llm", llm, "--valid", "5", "--test", "6", "--num_held_out", "2", *options]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_command(tmp_path, tokenizer):
    (tmp_path / "text").write_text("".join(f"{sentence}.\n" for sentence in SENTENCES))
    done = run(tmp_path / "text", tmp_path / "out", tokenizer, "--train", 20)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out" / "train").read_text().splitlines()) == 20
    assert json.loads((tmp_path / "out" / "report.json").read_text())["sentences"]["test"] == 6
    (tmp_path / "text").write_text("\n")
    done = run(tmp_path / "text", tmp_path / "none", tokenizer, "--train", 20)
    (line,) = done.stderr.splitlines()
    assert line.startswith("select_text: error: too little text: 0 of 20 sentences")
    assert not (tmp_path / "none").exists()
