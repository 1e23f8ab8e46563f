"""Labels: what they spell, which characters they stand for, times of words from theirs."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.labels import (
    CharLabels,
    SentencePieceLabels,
    TokenLabels,
    label_alignments,
    load_labels,
)
from espnet_ssr.align.project import spoken_words

TEXTS = [
    "press one for sales", "thank you for calling", "it's ten o'clock , señor", "the ABC , 1 2 3",
    "press two to hear the menu again", "one two three", "é 你好", "please hold the line",
    "your call is important to us", "enter the number of the person you are calling",
]  # fmt: skip
LETTERS = sorted({c for text in TEXTS for c in text if not c.isspace()})


@pytest.fixture(scope="module")
def llm(tmp_path_factory) -> str:
    """Byte-level BPE with few merges; one is of a space and a character's first byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("o", "n"), ("Ġ", "on"), ("Ġ", "ä")]
    vocabulary = [*alphabet, *(left + right for left, right in merges)]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(vocabulary)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    folder = tmp_path_factory.mktemp("llm")
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text("{}")
    return str(folder)


@pytest.fixture(scope="module")
def kinds(llm):
    return {
        "char": CharLabels.build(TEXTS),
        "outer": CharLabels.build(TEXTS, outer_delimiters=True),
        "sentencepiece": SentencePieceLabels.build(TEXTS, vocab_size=60),
        "token": TokenLabels.build(TEXTS, llm),
    }


KINDS = ("char", "outer", "sentencepiece", "token")
words = st.text(st.sampled_from(LETTERS), min_size=1, max_size=6)
texts = st.lists(words, max_size=5).map(" ".join)


@pytest.mark.parametrize("kind", KINDS)
@given(text=texts)
def test_round_trip(kinds, kind, text):
    ids, _ = kinds[kind].encode(text)
    assert kinds[kind].decode(ids) == text


@pytest.mark.parametrize("kind", KINDS)
@given(text=texts)
def test_offsets_cover_exactly_the_characters(kinds, kind, text):
    ids, offsets = kinds[kind].encode(text)
    assert len(ids) == len(offsets)
    assert 0 not in ids
    assert all(a[1] <= b[0] for a, b in pairwise(offsets))
    covered = [i for begin, end in offsets for i in range(begin, end)]
    assert [i for i in covered if not text[i].isspace()] == [
        i for i, c in enumerate(text) if not c.isspace()
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_characters_are_left_out(kinds, kind):
    text = "one Ж thжe ж"
    ids, offsets = kinds[kind].encode(text)
    assert 0 not in ids
    covered = "".join(text[begin:end] for begin, end in offsets)
    assert covered.replace(" ", "") == "onethe"
    assert kinds[kind].decode(ids).split() == ["one", "the"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", "   ", "ж"])
def test_no_labels(kinds, kind, text):
    ids, offsets = kinds[kind].encode(text)
    # SentencePiece has a mark of the word even for a character that it does not know.
    assert all(begin == end for begin, end in offsets)
    assert kinds[kind].decode(ids) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded(kinds, kind, tmp_path):
    kinds[kind].save(tmp_path / "labels.json")
    loaded = load_labels(tmp_path / "labels.json")
    assert type(loaded) is type(kinds[kind])
    assert loaded.names == kinds[kind].names
    assert len(loaded) == len(kinds[kind].names)
    assert loaded.names[0] == "<blank>"
    for text in TEXTS:
        assert loaded.encode(text) == kinds[kind].encode(text)


def test_labels_are_the_same_every_time(llm):
    # Training is resumed only with the labels that it was begun with.
    for build in (
        CharLabels.build,
        lambda texts: SentencePieceLabels.build(texts, vocab_size=60),
        lambda texts: TokenLabels.build(texts, llm),
    ):
        assert build(TEXTS).conf() == build(iter(TEXTS)).conf()


def test_characters():
    labels = CharLabels.build(["ab c", "b'"])
    assert labels.names == ["<blank>", " ", "'", "a", "b", "c"]
    assert labels.encode("ba c") == ([4, 3, 1, 5], [(0, 1), (1, 2), (3, 3), (3, 4)])
    outer = CharLabels(labels.names, outer_delimiters=True)
    assert outer.encode(" a  c") == ([1, 3, 1, 5, 1], [(1, 1), (1, 2), (4, 4), (4, 5), (5, 5)])
    assert outer.encode("") == ([], [])


@pytest.mark.parametrize(
    ("character", "label"),
    [("a", "a"), ("A", "a"), ("ä", "a"), ("Á", "a"), ("İ", "i"), ("ß", None), ("´", None)],
)
def test_letters_without_a_label_take_a_similar_one(character, label):
    labels = CharLabels.build(["a i"])
    ids, _ = labels.encode(character)
    assert [labels.names[i] for i in ids] == ([label] if label else [])


def test_pieces_of_one_character_are_one_label(llm):
    labels = TokenLabels.build(["你好 x", "x 你"], llm)
    ids, offsets = labels.encode("好 你你")
    assert [labels.names[i] for i in ids] == [" 好", " 你", "你"]
    assert offsets == [(0, 1), (2, 3), (3, 4)]


def test_frequent_tokens_are_labels_and_others_are_spelled(llm):
    labels = TokenLabels.build(["the one", "the other"], llm)
    assert " the" in labels.names
    assert "the" not in labels.names
    ids, offsets = labels.encode("the tooth")
    assert [labels.names[i] for i in ids] == [" the", " t", "o", "o", "t", "h"]
    assert offsets[:2] == [(0, 3), (4, 5)]
    assert labels.decode(ids) == "the tooth"


def times_of(offsets, step=0.1):
    return [(i * step, (i + 1) * step, -float(i)) for i in range(len(offsets))]


@pytest.mark.parametrize("kind", KINDS)
@given(text=texts)
def test_alignments_have_each_spoken_word_and_letter(kinds, kind, text):
    _, offsets = kinds[kind].encode(text)
    expected = spoken_words(text)
    if not expected:
        with pytest.raises(AlignError, match="no words") as error:
            label_alignments("utt", text, offsets, times_of(offsets))
        assert error.value.cause == "empty_text"
        return
    levels = label_alignments("utt", text, offsets, times_of(offsets))
    words, chars = levels["word"].spans, levels["char"].spans
    assert [span.label for span in words] == [text[b:e] for b, e in expected]
    letters = [c for b, e in expected for c in text[b:e] if c.isalnum()]
    assert [span.label for span in chars] == letters
    assert all(levels[level].level == level for level in levels)
    # Letters lie in their words.
    rest = iter(chars)
    for word in words:
        for _ in filter(str.isalnum, word.label):
            span = next(rest)
            assert word.start - 1e-9 <= span.start <= span.end <= word.end + 1e-9


def test_a_letter_gets_its_share_of_a_label():
    levels = label_alignments("utt", "abc d", [(0, 2), (2, 3), (4, 5)], times_of("xyz", 0.2))
    chars = [(s.label, s.start, s.end, s.score) for s in levels["char"].spans]
    assert chars == [
        ("a", 0.0, pytest.approx(0.1), 0.0),
        ("b", pytest.approx(0.1), pytest.approx(0.2), 0.0),
        ("c", 0.2, 0.4, -1.0),
        ("d", 0.4, pytest.approx(0.6), -2.0),
    ]
    assert levels["word"].spans[0].score == pytest.approx(-1 / 3)


def test_letters_without_a_label_are_empty_spans():
    text, offsets = "xaxbx", [(1, 2), (3, 4)]
    levels = label_alignments("utt", text, offsets, [(1.0, 2.0, -1.0), (2.0, 3.0, -1.0)])
    assert [(s.start, s.end) for s in levels["char"].spans] == [
        (1, 1), (1, 2), (2, 2), (2, 3), (3, 3),
    ]  # fmt: skip
    assert levels["char"].spans[0].score is None
    assert [(s.label, s.start, s.end) for s in levels["word"].spans] == [("xaxbx", 1, 3)]


def test_a_word_without_a_label_cannot_be_aligned():
    with pytest.raises(AlignError, match="no label for 'ж'") as error:
        label_alignments("utt", "a ж", [(0, 1)], [(0.0, 1.0, -1.0)])
    assert error.value.cause == "unknown_characters"
