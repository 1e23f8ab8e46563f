"""Each rule for words that a dictionary lacks; whatever letters come, ARPAbet comes out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align.pronounce import plain_word, pronounce

ARPABET = set(
    """AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V
    W Y Z ZH""".split()  # noqa: SIM905 (a list of 39 strings is no easier to read)
)
DICTIONARY = {
    "black": "B L AE K",
    "list": "L IH S T",
    "blacklist's": "B L AE K L IH S T S",
    "five": "F AY V",
    "hundred": "HH AH N D R AH D",
    "twelve": "T W EH L V",
    "in": "IH N",
    "p": "P IY",
    "b": "B IY",
    "x": "EH K S",
    "4u": "F AO R Y UW",
}


def only_letters_known(word):
    return "AH" if word == "a" else None


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        ("Hello", "hello"),
        ("it’s", "it's"),
        ("'Twas", "twas"),
        ("“dogs’”,", "dogs"),
        ("Café", "cafe"),
        ("NAI\u0308VE", "naive"),
        ("co-op", "coop"),
        ("1,000.", "1000"),
        ("３rd", "3rd"),
        ("ﬁn", "fin"),
        ("…", ""),
        ("'", ""),
        ("你好", ""),
    ],
)
def test_plain_word(word, plain):
    assert plain_word(word) == plain


@given(st.text())
def test_plain_word_is_plain_and_stays(word):
    plain = plain_word(word)
    assert re.fullmatch(r"|[a-z0-9]([a-z0-9']*[a-z0-9])?", plain)
    assert plain_word(plain) == plain


@pytest.mark.parametrize(
    ("word", "phones", "rule"),
    [
        ("black", "B L AE K", "dictionary"),
        ("blacklist's", "B L AE K L IH S T S", "dictionary"),
        ("4u", "F AO R Y UW", "dictionary"),
        ("500", "F AY V HH AH N D R AH D", "number"),
        ("12", "T W EH L V", "number"),
        ("5x", "F AY V EH K S", "number"),
        ("p5", "P IY F AY V", "number"),
        ("5'5", "F AY V F AY V", "number"),
        ("blacklist", "B L AE K L IH S T", "compound"),
        ("list'black", "L IH S T B L AE K", "compound"),
        ("inlist", "IH N L IH S T", "rules"),  # two letters are no part of a compound
        ("pbx", "P IY B IY EH K S", "spelled"),
        ("p'b", "P IY B IY", "spelled"),
        ("kq", "K K", "spelled"),  # a dictionary without these letters
        ("bode", "B AA D", "rules"),  # a final e is silent after a consonant
        ("the", "TH EH", "rules"),  # but not the only vowel
        ("lee", "L IY", "rules"),
        ("nation", "N AE SH AH N", "rules"),
        ("catch", "K AE CH", "rules"),
        ("quick", "K W IH K", "rules"),
        ("night's", "N AY T S", "rules"),
        ("sky", "S K IY", "rules"),  # y is a vowel letter
        ("fox", "F AA K S", "rules"),
    ],
)
def test_first_rule_that_matches(word, phones, rule):
    assert pronounce(word, DICTIONARY.get) == (phones, rule)


@pytest.mark.parametrize("word", ["", "'", "''"])
def test_nothing_to_pronounce(word):
    assert pronounce(word, DICTIONARY.get) is None


@given(st.from_regex(r"[a-z']+", fullmatch=True))
def test_any_letters_give_phones(word):
    found = pronounce(word, only_letters_known)
    if not word.strip("'"):
        assert found is None
        return
    phones, rule = found
    assert phones and set(phones.split()) <= ARPABET
    assert phones == " ".join(phones.split())
    assert rule in ("spelled", "rules") or word == "a"


@given(number=st.integers(0, 10**15), letters=st.from_regex(r"[a-z]{0,3}", fullmatch=True))
def test_any_number_gives_phones(number, letters):
    phones, rule = pronounce(f"{number}{letters}", only_letters_known)
    assert rule == "number"
    assert phones and set(phones.split()) <= ARPABET


def test_compound_prefers_the_longest_left_part():
    parts = {"abc": "AE", "defghi": "EH", "abcdef": "AH", "ghi": "IH"}
    assert pronounce("abcdefghi", parts.get) == ("AH IH", "compound")
