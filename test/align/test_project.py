"""End times of LLM tokens: what each rule gives, and what holds for any text and tokens."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from espnet_ssr.align.alignment import Alignment, Span
from espnet_ssr.align.project import ProjectError, project_to_tokens

SMOLLM = "SmolLM2-135M-Instruct-q4_1"
SENTENCES = [
    "please enter your password followed by the pound key",
    " please enter your password, followed by the pound key.",
    " don't tell Ann's neighbours: it isn't well-known",
    " the naïve café cost 500 dollars",
]


@pytest.fixture(scope="module")
def bpe():
    """Byte-level BPE as GPT-2 has it, with few merges: words are cut into many tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


@pytest.fixture(scope="module")
def smollm():
    """The tokenizer of the default LLM."""
    default = Path(__file__).resolve().parents[2] / "tools" / "models"
    path = Path(os.environ.get("SSR_MODELS") or default) / SMOLLM / "tokenizer.json"
    if not path.is_file():
        pytest.skip(f"{SMOLLM} is not installed: run 'make -C tools models'")
    return Tokenizer.from_file(str(path))


def words_of(text, seconds=1.0, gap=0.0, first=0.0):
    """Alignment in which every word with a letter or digit takes ``seconds``."""
    spans, time = [], first
    for word in text.split():
        if any(c.isalnum() for c in word):
            spans.append(Span(word, time, time + seconds))
            time += seconds + gap
    return Alignment("utt", spans)


def offsets_of(text, *tokens):
    """Offsets of ``tokens``, found in ``text`` one after the other, white space skipped."""
    offsets, position = [], 0
    for token in tokens:
        begin = text.index(token, position)
        offsets.append((begin, begin + len(token)))
        position = offsets[-1][1]
    return offsets


def project(text, *tokens, parts=None, **timing):
    """End times of ``tokens`` when words follow each other in steps of a second."""
    return project_to_tokens(text, offsets_of(text, *tokens), words_of(text, **timing), parts)


@pytest.mark.parametrize(
    ("text", "tokens", "ends"),
    [
        pytest.param("one two", ["one", " two"], [1, 2], id="a word a token"),
        pytest.param(" one two", [" one", " two"], [1, 2], id="leading space"),
        pytest.param(" one two", [" ", "one", " two"], [0, 1, 2], id="leading space alone"),
        pytest.param("abcd efgh", ["a", "b", "cd", " e", "fgh"], [0.25, 0.5, 1, 1.25, 2], id="cut"),
        pytest.param("one two", ["one t", "wo"], [4 / 3, 2], id="token over two words"),
        pytest.param("don't go", ["don", "'", "t", " go"], [0.75, 0.75, 1, 2], id="apostrophe"),
        pytest.param("dogs' go", ["dogs", "'", " go"], [1, 1, 2], id="trailing apostrophe"),
        pytest.param("'tis so", ["'", "t", "is", " so"], [0, 1 / 3, 1, 2], id="leading apostrophe"),
        pytest.param("so 'tis", ["so", " '", "t", "is"], [1, 1, 4 / 3, 2], id="quote after pause"),
        pytest.param("at 500", ["at", " ", "5", "0", "0"], [1, 1, 4 / 3, 5 / 3, 2], id="number"),
        pytest.param("1 20", ["1", " ", "2", "0"], [1, 1, 1.5, 2], id="space after one digit"),
        pytest.param("a  b\t\tc", ["a", " ", " b", "\t\t", "c"], [1, 1, 2, 2, 3], id="white space"),
        pytest.param("oh, no.", ["oh", ",", " no", "."], [1, 1, 2, 2], id="trailing marks"),
        pytest.param("“oh no”", ["“", "oh", " no", "”"], [0, 1, 2, 2], id="quotes"),
        pytest.param("oh — no …", ["oh", " —", " no", " …"], [1, 1, 2, 2], id="marks alone"),
        pytest.param("... oh", ["...", " oh"], [0, 1], id="marks first"),
        pytest.param("well-known", ["well", "-", "known"], [4 / 9, 4 / 9, 1], id="inside"),
        pytest.param("e\u0301a", ["e\u0301", "a"], [0.5, 1], id="combining accent"),
        pytest.param("oh ", ["oh", " "], [1, 1], id="space at the end"),
        pytest.param("oh", ["oh"], [1], id="one word"),
        pytest.param("...", ["..", "."], [0, 0], id="nothing spoken"),
        pytest.param("oh", [], [], id="no tokens"),
    ],
)
def test_rules(text, tokens, ends):
    assert project(text, *tokens) == pytest.approx(ends)


def test_pause_belongs_to_the_next_token():
    ends = project("one two", "one", " t", "wo", seconds=0.3, gap=0.5, first=0.2)
    assert ends == pytest.approx([0.5, 1.1, 1.3])


def test_punctuation_lasts_for_the_pause_that_it_is_at():
    tokens = ('"', "one", ",", " t", "wo", ".")
    text = '"one, two.'
    ends = project(text, *tokens, seconds=0.3, gap=0.5, first=0.2)
    assert ends == pytest.approx([0.2, 0.5, 1.0, 1.1, 1.3, 1.3])
    words = words_of(text, seconds=0.3, gap=0.5, first=0.2)
    ends = project_to_tokens(text, offsets_of(text, *tokens), words, seconds=2.0)
    assert ends == pytest.approx([0.2, 0.5, 1.0, 1.1, 1.3, 2.0])


def test_a_vowel_sign_does_not_last_for_the_pause_after_its_letter():
    text = "है है।"  # a letter and its vowel sign, twice, and a full stop
    ends = project(text, "है", " है", "।", seconds=0.3, gap=0.5, first=0.2)
    assert ends == pytest.approx([0.5, 1.3, 1.3])
    words = words_of(text, seconds=0.3, gap=0.5, first=0.2)
    offsets = offsets_of(text, "है", " है", "।")
    ends = project_to_tokens(text, offsets, words, seconds=2.0)
    assert ends == pytest.approx([0.5, 1.3, 2.0])


def test_punctuation_without_a_pause_shares_the_end_of_the_letter_before():
    ends = project("one, two's.", "one", ",", " two", "'", "s", ".", seconds=0.3)
    assert ends[:2] == pytest.approx([0.3, 0.3])
    assert ends[3:] == pytest.approx([ends[2], 0.6, 0.6])


@pytest.mark.parametrize(
    ("offsets", "ends"),
    [
        # "xΩ b" with Ω in pieces; the second row is how a byte-level token with a space looks.
        ([(0, 1), (1, 2), (1, 2), (2, 4)], [0.5, 0.75, 1, 2]),
        ([(0, 2), (1, 2), (2, 4)], [1, 1, 2]),
        ([(0, 1), (1, 2), (1, 2), (1, 2), (1, 2), (3, 4)], [0.5, 0.625, 0.75, 0.875, 1, 2]),
        ([(0, 1), (1, 2), (1, 4)], [0.5, 1, 2]),
    ],
)
def test_pieces_share_a_character(offsets, ends):
    assert project_to_tokens("xΩ b", offsets, words_of("xΩ b")) == pytest.approx(ends)


def test_piece_with_a_space_is_a_piece():
    assert project_to_tokens(" Ωb", [(0, 2), (1, 2), (2, 3)], words_of(" Ωb")) == [0.25, 0.5, 1]


def test_token_without_characters_ends_with_the_one_before():
    ends = project_to_tokens("oh no", [(0, 0), (0, 2), (2, 5), (0, 0)], words_of("oh no"))
    assert ends == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("edges", "ends"),
    [
        # "night no": four letters ni-ght in the phones N AY T of 0.1, 0.7 and 0.2 s, then N OW.
        ([0.1, 0.8, 1.0, 1.5, 2.0], [0.24, 1.0, 2.0]),
        ([1.0, 2.0], [0.4, 1.0, 2.0]),
        ([], [0.4, 1.0, 2.0]),
    ],
)
def test_letters_follow_phones(edges, ends):
    spans = [Span("ph", start, end) for start, end in pairwise([0.0, *edges])]
    ends_found = project("night no", "ni", "ght", " no", parts=Alignment("utt", spans, "phone"))
    assert ends_found == pytest.approx(ends)


def test_letters_follow_characters_exactly():
    text, edges = "abc de", [0.0, 0.1, 0.2, 0.9, 1.0, 1.3, 2.0]
    spans = [Span(c, s, e) for c, s, e in zip("abc de", edges, edges[1:], strict=False)]
    parts = Alignment("utt", [s for s in spans if s.label.strip()], "char")
    words = Alignment("utt", [Span("abc", 0.0, 0.9), Span("de", 1.0, 2.0)])
    offsets = offsets_of(text, "a", "b", "c", " d", "e")
    ends = project_to_tokens(text, offsets, words, parts)
    assert ends == pytest.approx([0.1, 0.2, 0.9, 1.3, 2.0])


def test_empty_word_takes_no_time():
    words = Alignment("utt", [Span("a", 0, 0.5), Span("bc", 0.5, 0.5), Span("d", 0.5, 1)])
    offsets = offsets_of("a bc d", "a", " b", "c", " d")
    assert project_to_tokens("a bc d", offsets, words) == [0.5, 0.5, 0.5, 1]


@pytest.mark.parametrize("text", ["one", "one two three", "— one two three", ""])
def test_mismatch_is_refused(text):
    with pytest.raises(
        ProjectError, match=rf"utt: the text has {len(text.split('— ')[-1].split())}"
    ):
        project_to_tokens(text, [], words_of("one two"))


def check_invariants(text, offsets, words, parts=None):
    """What holds for every projection of tokens that cover the text."""
    ends = project_to_tokens(text, offsets, words, parts)
    last = words.spans[-1].end if words.spans else 0.0
    assert len(ends) == len(offsets)
    assert all(left <= right for left, right in pairwise([0.0, *ends, last + 1e-9]))
    if ends:
        assert ends[-1] == pytest.approx(last)
    # The last token that touches a word ends with it, whatever is inside.
    spans = iter(words.spans)
    position = 0
    for word in text.split():
        position = text.index(word, position) + len(word)
        if any(c.isalnum() for c in word):
            span = next(spans)
            touching = [e for (b, end), e in zip(offsets, ends, strict=True) if b < position <= end]
            assert max(touching) >= span.end - 1e-9
    return ends


WORDS = ["please", "don't", "500", "naïve", "Ω", "你好", "🙂", "—", "x,", "“y”", "e\u0301", "A..."]
# SmolLM2 drops bytes that it has no token for: some controls, and planes without characters.
CHARACTERS = st.characters(exclude_categories=["Cs", "Z", "Cc"], max_codepoint=0x3FFFF)
TEXTS = st.lists(
    st.sampled_from(WORDS) | st.text(CHARACTERS, max_size=5),
    max_size=8,
).flatmap(
    lambda words: st.lists(
        st.sampled_from([" ", "  ", "\t"]), min_size=len(words), max_size=len(words)
    ).map(lambda gaps: "".join(gap + word for gap, word in zip(gaps, words, strict=True)))
)


@st.composite
def timed_words(draw, text):
    """Times of the words of ``text``, maybe with parts inside of them."""
    labels = [w for w in text.split() if any(c.isalnum() for c in w)]
    steps = draw(st.lists(st.integers(0, 900), min_size=2 * len(labels), max_size=2 * len(labels)))
    words, parts, time = [], [], 0
    for label, pause, duration in zip(labels, steps[::2], steps[1::2], strict=True):
        start, end = time + pause, time + pause + duration
        words.append(Span(label, start / 1000, end / 1000))
        inner = draw(st.lists(st.integers(start, end), max_size=4).map(sorted))
        for left, right in pairwise([start, *inner, end]):
            parts.append(Span("ph", left / 1000, right / 1000))
        time = end
    with_parts = draw(st.booleans())
    return Alignment("utt", words), Alignment("utt", parts, "phone") if with_parts else None


@given(data=st.data(), text=TEXTS)
def test_invariants_with_byte_level_bpe(bpe, data, text):
    encoded = bpe.encode(text)
    check_invariants(text, encoded.offsets, *data.draw(timed_words(text)))


@given(data=st.data(), text=TEXTS)
def test_invariants_with_smollm(smollm, data, text):
    encoded = smollm.encode(text, add_special_tokens=False)
    check_invariants(text, encoded.offsets, *data.draw(timed_words(text)))


@given(data=st.data(), text=TEXTS)
def test_any_offsets_give_ends_that_never_decrease(data, text):
    inside = st.tuples(st.integers(0, len(text)), st.integers(0, len(text) + 1)).map(sorted)
    offsets = data.draw(st.lists(inside.map(tuple), max_size=10))
    words, parts = data.draw(timed_words(text))
    ends = project_to_tokens(text, offsets, words, parts)
    last = words.spans[-1].end if words.spans else 0.0
    assert len(ends) == len(offsets)
    assert all(left <= right for left, right in pairwise([0.0, *ends, last + 1e-9]))


def test_words_of_one_token_end_where_they_end(smollm):
    text = " please enter your password followed by the pound key"
    encoded = smollm.encode(text, add_special_tokens=False)
    assert len(encoded.ids) == 9
    words = words_of(text, seconds=0.25, gap=0.05)
    ends = project_to_tokens(text, encoded.offsets, words)
    assert ends == pytest.approx([span.end for span in words.spans])


def test_byte_pieces_of_a_real_tokenizer(smollm):
    # " Ω" is a space with the first byte and then the second: offsets (0, 2) and (1, 2).
    encoded = smollm.encode(" Ω", add_special_tokens=False)
    assert encoded.offsets == [(0, 2), (1, 2)]
    assert project_to_tokens(" Ω", encoded.offsets, words_of(" Ω")) == [0.5, 1]
