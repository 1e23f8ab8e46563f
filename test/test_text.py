"""The words that a text says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.text import normalize_text, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Goodbye!", "goodbye"),
        (
            "press * to toggle pause, press # to enter",
            "press star to toggle pause press pound to enter",
        ),
        ("visit www.asterisk.org.", "visit w w w dot asterisk dot org"),
        ("at 10 A.M. or P.M.", "at ten a m or p m"),
        ("H.323", "h three two three"),
        ("3D audio", "three d audio"),
        ("dial 500 or 600.", "dial five hundred or six hundred"),
        ("extension 1234 and 8500", "extension one two three four and eight five zero zero"),
        ("a 28.8 kilobit modem", "a twenty eight point eight kilobit modem"),
        ("007", "zero zero seven"),
        ("press 1.", "press one"),
        ('a "don\'t call" menu', "a don't call menu"),
        ("party\N{RIGHT SINGLE QUOTATION MARK}s 'name'", "party's name"),
        ("re-enter; full-featured", "re enter full featured"),
        ("at [@]", "at"),
        ('IAX (note: does not say "2")', "iax"),
        ("[ascending tones]", ""),
        ("<beep ascending>", ""),
        ("... letters ...", "letters"),
        ("Café \N{FULLWIDTH DIGIT FIVE}", "cafe five"),
        ("", ""),
    ],
)
def test_normalization(text, expected):
    assert normalize_text(text) == expected


SPOKEN_LIKE = st.text(alphabet="abwW.'’-*# 0123456789[]()<>é½", max_size=30)


@given(st.one_of(st.text(), SPOKEN_LIKE))
def test_normalized_text_is_words_and_stays(text):
    normalized = normalize_text(text)
    assert re.fullmatch(r"([a-z]+('+[a-z]+)*( |$))*", normalized)
    assert normalized == normalized.strip()
    assert normalize_text(normalized) == normalized


def test_plain():
    assert plain(" It's “late”, he_said:  10 o'clock.\n") == "it's late he said 10 o'clock"
